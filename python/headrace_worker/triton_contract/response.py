"""Responses: what a model answers, and what a called model has answered."""

from headrace_worker import errors, wire
from headrace_worker.triton_contract import tensor as tensor_module
from headrace_worker.triton_contract import values

_BYTES = 13


class InferenceResponse:
    """Output tensors, or an error; parameters either way."""

    __slots__ = ("_tensors", "_error", "_parameters")

    def __init__(self, output_tensors=(), error=None, parameters=None):
        tensors = list(output_tensors)
        for tensor in tensors:
            if not isinstance(tensor, tensor_module.Tensor):
                _refuse(tensor)
        if error is not None and not isinstance(error, values.TritonError):
            raise TypeError(f"a response's error must be a TritonError, not {type(error).__name__}")
        self._tensors = tensors
        self._error = error
        self._parameters = None if parameters is None else values.parameters_text(parameters)

    def output_tensors(self):
        """The tensors as a list."""
        return self._tensors

    def has_error(self):
        """Whether this is an error."""
        return self._error is not None

    def error(self):
        """The TritonError, or None."""
        return self._error

    def parameters(self):
        """The parameters as JSON text."""
        return self._parameters or "{}"


def _refuse(tensor):
    if tensor is None:
        raise values.TritonModelException("Output tensor for inference response should not be empty.")
    raise TypeError(f"output_tensors must hold Tensors, not {type(tensor).__name__}")


def extras_of(response):
    """The JSON of a response's extras, b"" when there is nothing to say."""
    error, parameters = response._error, response._parameters
    if error is None:
        if parameters is None or parameters == "{}":
            return b""
        return b'{"parameters":' + parameters.encode("utf-8", "replace") + b"}"
    text = wire.pack_json({"error": errors.as_object(error.code().name, error.message())})
    if parameters is None or parameters == "{}":
        return text
    return text[:-1] + b',"parameters":' + parameters.encode("utf-8", "replace") + b"}"


class OutputPacker:
    """Puts the tensors of responses into the region and describes them.

    place: function of a size that returns an offset. The block of the EXECUTE that is answered, when there is one, lets an
    output that is (part of) an input stay where it is.
    """

    # Below this many bytes a copy costs less than finding out where an array lies.
    _COPIED = 64 << 10

    __slots__ = ("_map", "_memory", "_place", "_index", "_block", "_start", "_address")

    def __init__(self, region, place, output_index, block=None, start=0):
        self._map = region.map
        self._memory = region.memory
        self._place = place
        self._index = output_index
        self._block = block
        self._start = start
        self._address = 0

    def pack(self, tensors, wanted=None):
        """[packed tensor] of those that the model's configuration has, and of these those that are wanted."""
        packed = []
        index = self._index
        for tensor in tensors:
            number = index.get(tensor._name)
            if number is None or wanted is not None and tensor._name not in wanted:
                continue
            if tensor._number == _BYTES:
                packed.append(self._texts(number, b"", tensor))
            else:
                array = tensor._array
                packed.append(self._array(number, b"", tensor, tensor._elements() if array is None else array))
        return packed

    def pack_named(self, tensor):
        """A packed tensor that gives its name; for inputs of calls."""
        name = tensor._name.encode()
        if tensor._number == _BYTES:
            return self._texts(wire.NAME_FOLLOWS, name, tensor)
        return self._array(wire.NAME_FOLLOWS, name, tensor, tensor._elements())

    def _array(self, index, name, tensor, array):
        size = array.nbytes
        if size <= self._COPIED:
            offset = self._place(size) if size else 0
            self._map[offset : offset + size] = array.tobytes()
        else:
            offset = self._inside(array)
            if offset is None:
                offset = self._place(size)
                self._copy(array, offset)
        return wire.pack_tensor(index, name, tensor._number, array.shape, offset, size)

    def _texts(self, index, name, tensor):
        array = tensor._elements()
        data = tensor_module.element_types.pack_texts(array)
        size = len(data)
        offset = self._place(size) if size else 0
        self._memory[offset : offset + size] = data
        return wire.pack_tensor(index, name, _BYTES, array.shape, offset, size)

    def _inside(self, array):
        """Where an array lies in the region when it is a contiguous part of the block."""
        if self._block is None or array.base is not self._block or not array.flags.c_contiguous:
            return None
        if not self._address:
            self._address = self._block.ctypes.data
        return self._start + array.ctypes.data - self._address

    def _copy(self, array, offset):
        tensor_module.np.ndarray(array.shape, array.dtype, self._map, offset)[...] = array
