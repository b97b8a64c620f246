#include "handler/pickle_reader.h"

#include <fmt/format.h>

#include <limits>

namespace headrace::handler {
namespace {

using Kind = PickleValue::Kind;

// Opcodes as Python's pickletools lists them.
enum Opcode : std::uint8_t {
  kMark = '(',
  kStop = '.',
  kNone = 'N',
  kNewTrue = 0x88,
  kNewFalse = 0x89,
  kBinInt = 'J',
  kBinInt1 = 'K',
  kBinInt2 = 'M',
  kLong1 = 0x8a,
  kBinUnicode = 'X',
  kShortBinUnicode = 0x8c,
  kBinUnicode8 = 0x8d,
  kEmptyDict = '}',
  kSetItem = 's',
  kSetItems = 'u',
  kEmptyTuple = ')',
  kTuple1 = 0x85,
  kBinPut = 'q',
  kLongBinPut = 'r',
  kMemoize = 0x94,
  kBinGet = 'h',
  kLongBinGet = 'j',
  kGlobal = 'c',
  kStackGlobal = 0x93,
  kReduce = 'R',
  kProto = 0x80,
  kFrame = 0x95,
};

enum Class : std::int64_t { kOrderedDict, kCounter };

constexpr std::size_t kLineByteSizeMax = 256;
constexpr std::size_t kMapCountMax = 1'000;

}  // namespace

Status PickleReader::Refused(std::string_view what) const {
  return InvalidArgument("byte {} of the pickle: {}", opcode_at_, what);
}

Result<std::string_view> PickleReader::Take(std::uint64_t byte_size) {
  if (byte_size > bytes_.size() - at_) {
    return Refused("the pickle ends there");
  }
  const std::string_view taken = bytes_.substr(at_, static_cast<std::size_t>(byte_size));
  at_ += taken.size();
  return taken;
}

Result<std::uint64_t> PickleReader::TakeNumber(std::size_t byte_size) {
  HEADRACE_ASSIGN_OR_RETURN(const std::string_view bytes, Take(byte_size));
  std::uint64_t number = 0;
  for (std::size_t i = byte_size; i-- > 0;) {
    number = number << 8U | static_cast<std::uint8_t>(bytes[i]);
  }
  return number;
}

Result<std::string_view> PickleReader::TakeLine() {
  const std::size_t size = bytes_.substr(at_, kLineByteSizeMax).find('\n');
  if (size == std::string_view::npos) {
    return Refused("a name does not end");
  }
  const std::string_view line = bytes_.substr(at_, size);
  at_ += size + 1;
  return line;
}

Status PickleReader::Push(PickleValue value) {
  if (stack_.size() == limits_.stack_size_max) {
    return Refused("too many values wait there");
  }
  stack_.push_back(value);
  return OkStatus();
}

Result<PickleValue> PickleReader::Pop() {
  // What lies below a mark belongs to whoever set it.
  if (stack_.size() == (marks_.empty() ? 0 : marks_.back())) {
    return Refused("a value is missing");
  }
  const PickleValue value = stack_.back();
  stack_.pop_back();
  return value;
}

Result<PickleValue> PickleReader::Read() {
  stack_.clear();
  marks_.clear();
  memo_.clear();
  opcode_at_ = at_;
  HEADRACE_ASSIGN_OR_RETURN(const std::uint64_t proto, TakeNumber(1));
  HEADRACE_ASSIGN_OR_RETURN(const std::uint64_t version, TakeNumber(1));
  if (proto != kProto || version < 2 || version > 5) {
    return Refused("no pickle of protocol 2 to 5 begins there");
  }
  while (true) {
    opcode_at_ = at_;
    HEADRACE_ASSIGN_OR_RETURN(const std::uint64_t opcode, TakeNumber(1));
    if (opcode != kStop) {
      HEADRACE_RETURN_IF_ERROR(Execute(static_cast<std::uint8_t>(opcode)));
    } else if (stack_.size() != 1 || !marks_.empty()) {
      return Refused("it ends with more or less than one value");
    } else {
      return stack_.back();
    }
  }
}

Status PickleReader::Execute(std::uint8_t opcode) {
  switch (opcode) {
    case kMark:
      if (marks_.size() == limits_.mark_count_max) {
        return Refused("values are nested too deeply");
      }
      marks_.push_back(stack_.size());
      return OkStatus();
    case kNone:
      return Push({});
    case kNewTrue:
    case kNewFalse:
      return Push({.kind = Kind::kBool, .number = opcode == kNewTrue});
    case kBinInt:
    case kBinInt1:
    case kBinInt2:
    case kLong1:
      return ExecuteNumber(opcode);
    case kBinUnicode:
    case kShortBinUnicode:
    case kBinUnicode8:
      return ExecuteText(opcode);
    case kEmptyDict:
      return NewMap();
    case kSetItem:
      return stack_.size() < 2 ? Refused("a value is missing") : SetItems(stack_.size() - 2);
    case kSetItems: {
      if (marks_.empty()) {
        return Refused("a mark is missing");
      }
      const std::size_t from = marks_.back();
      marks_.pop_back();
      return SetItems(from);
    }
    case kEmptyTuple:
      return Push({.kind = Kind::kNoArguments});
    case kTuple1: {
      HEADRACE_ASSIGN_OR_RETURN(const PickleValue value, Pop());
      return value.kind == Kind::kMap ? Push({.kind = Kind::kOneArgument, .number = value.number})
                                      : Refused("a tuple of something that is no dictionary");
    }
    case kBinPut:
    case kLongBinPut:
    case kMemoize:
    case kBinGet:
    case kLongBinGet:
      return ExecuteMemo(opcode);
    case kGlobal:
    case kStackGlobal:
      return ExecuteClass(opcode);
    case kReduce:
      return Call();
    case kFrame:
      return TakeNumber(8).status();
    default:
      return Refused(fmt::format("the opcode 0x{:02x} is none that a vocabulary needs", opcode));
  }
}

Status PickleReader::ExecuteNumber(std::uint8_t opcode) {
  std::size_t byte_size = opcode == kBinInt ? 4 : opcode == kBinInt2 ? 2 : 1;
  if (opcode == kLong1) {
    HEADRACE_ASSIGN_OR_RETURN(const std::uint64_t said, TakeNumber(1));
    byte_size = static_cast<std::size_t>(said);
    if (byte_size > sizeof(std::int64_t)) {
      return Refused("a number that does not fit into 64 bits");
    }
  }
  HEADRACE_ASSIGN_OR_RETURN(std::uint64_t number, TakeNumber(byte_size));
  // Two's complement, but for the two short forms.
  if ((opcode == kBinInt || opcode == kLong1) && byte_size > 0 && byte_size < 8 &&
      (number >> (8 * byte_size - 1)) != 0) {
    number |= ~std::uint64_t{0} << (8 * byte_size);
  }
  return Push({.kind = Kind::kInteger, .number = static_cast<std::int64_t>(number)});
}

Status PickleReader::ExecuteText(std::uint8_t opcode) {
  const std::size_t size_byte_size = opcode == kBinUnicode ? 4 : opcode == kBinUnicode8 ? 8 : 1;
  HEADRACE_ASSIGN_OR_RETURN(const std::uint64_t byte_size, TakeNumber(size_byte_size));
  HEADRACE_ASSIGN_OR_RETURN(const std::string_view text, Take(byte_size));
  return Push({.kind = Kind::kText, .text = text});
}

// Picklers number what they remember in order.
Status PickleReader::PutAt(std::uint64_t index) {
  if (stack_.empty()) {
    return Refused("a value is missing");
  }
  if (index < memo_.size()) {
    memo_[static_cast<std::size_t>(index)] = stack_.back();
    return OkStatus();
  }
  if (index != memo_.size() || memo_.size() > limits_.entry_count_max * 2) {
    return Refused("a value is remembered out of turn");
  }
  memo_.push_back(stack_.back());
  return OkStatus();
}

Status PickleReader::ExecuteMemo(std::uint8_t opcode) {
  if (opcode == kMemoize) {
    return PutAt(memo_.size());
  }
  const bool is_short = opcode == kBinPut || opcode == kBinGet;
  HEADRACE_ASSIGN_OR_RETURN(const std::uint64_t index, TakeNumber(is_short ? 1 : 4));
  if (opcode == kBinPut || opcode == kLongBinPut) {
    return PutAt(index);
  }
  return index < memo_.size() ? Push(memo_[static_cast<std::size_t>(index)])
                              : Refused("a value that was never remembered");
}

Status PickleReader::ExecuteClass(std::uint8_t opcode) {
  std::string_view module, name;
  if (opcode == kGlobal) {
    HEADRACE_ASSIGN_OR_RETURN(module, TakeLine());
    HEADRACE_ASSIGN_OR_RETURN(name, TakeLine());
  } else {
    HEADRACE_ASSIGN_OR_RETURN(const PickleValue second, Pop());
    HEADRACE_ASSIGN_OR_RETURN(const PickleValue first, Pop());
    if (first.kind != Kind::kText || second.kind != Kind::kText) {
      return Refused("the name of a class is no text");
    }
    module = first.text;
    name = second.text;
  }
  if (module == "collections" && (name == "OrderedDict" || name == "Counter")) {
    return Push({.kind = Kind::kClass, .number = name == "Counter" ? kCounter : kOrderedDict});
  }
  return Refused(fmt::format("'{}.{}' is no class that is read as data", module.substr(0, 64),
                             name.substr(0, 64)));
}

Status PickleReader::NewMap() {
  if (maps_.size() == kMapCountMax) {
    return Refused("too many dictionaries");
  }
  maps_.emplace_back();
  return Push({.kind = Kind::kMap, .number = static_cast<std::int64_t>(maps_.size() - 1)});
}

// The pairs from there on belong to the map below them.
Status PickleReader::SetItems(std::size_t from) {
  const std::size_t floor = marks_.empty() ? 0 : marks_.back();
  if (from <= floor || stack_[from - 1].kind != Kind::kMap || (stack_.size() - from) % 2 != 0) {
    return Refused("there is no dictionary that takes these values");
  }
  entry_count_ += (stack_.size() - from) / 2;
  if (entry_count_ > limits_.entry_count_max) {
    return Refused(fmt::format("there are more than {} entries", limits_.entry_count_max));
  }
  auto& entries = maps_[static_cast<std::size_t>(stack_[from - 1].number)].entries;
  for (std::size_t i = from; i < stack_.size(); i += 2) {
    entries.emplace_back(stack_[i], stack_[i + 1]);
  }
  stack_.resize(from);
  return OkStatus();
}

// A class that is called: with nothing, or a Counter with its counts.
Status PickleReader::Call() {
  HEADRACE_ASSIGN_OR_RETURN(const PickleValue arguments, Pop());
  HEADRACE_ASSIGN_OR_RETURN(const PickleValue called, Pop());
  const bool counter = called.number == kCounter;
  if (called.kind == Kind::kClass && arguments.kind == Kind::kNoArguments) {
    HEADRACE_RETURN_IF_ERROR(NewMap());
    maps_.back().is_counter = counter;
    return OkStatus();
  }
  if (called.kind == Kind::kClass && counter && arguments.kind == Kind::kOneArgument) {
    maps_[static_cast<std::size_t>(arguments.number)].is_counter = true;
    return Push({.kind = Kind::kMap, .number = arguments.number});
  }
  return Refused("a call that a vocabulary does not need");
}

}  // namespace headrace::handler
