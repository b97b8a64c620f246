#include "worker/environment.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>

namespace headrace::worker {
namespace {

constexpr std::string_view kNames[] = {"PATH",
                                       "HOME",
                                       "USER",
                                       "LOGNAME",
                                       "LANG",
                                       "LANGUAGE",
                                       "TZ",
                                       "TZDIR",
                                       "TERM",
                                       "TMPDIR",
                                       "PYTHONPATH",
                                       "PYTHONMALLOC",
                                       "PYTHONHASHSEED",
                                       "PYTHONDONTWRITEBYTECODE",
                                       "PYTHONWARNINGS",
                                       "PYTHONOPTIMIZE",
                                       "PYTHONFAULTHANDLER",
                                       "VIRTUAL_ENV",
                                       "CONDA_PREFIX",
                                       "LD_LIBRARY_PATH",
                                       "LD_PRELOAD",
                                       "XDG_CACHE_HOME",
                                       "SSL_CERT_FILE",
                                       "SSL_CERT_DIR",
                                       "REQUESTS_CA_BUNDLE",
                                       "CURL_CA_BUNDLE",
                                       "HF_HOME",
                                       "HF_HUB_CACHE",
                                       "HF_HUB_OFFLINE",
                                       "HF_ENDPOINT",
                                       "HUGGINGFACE_HUB_CACHE",
                                       "TRANSFORMERS_CACHE",
                                       "TRANSFORMERS_OFFLINE",
                                       "TOKENIZERS_PARALLELISM",
                                       "SENTENCE_TRANSFORMERS_HOME",
                                       "NLTK_DATA",
                                       "ENABLE_TORCH_PROFILER",
                                       "TS_DECODE_INPUT_REQUEST",
                                       "TS_SERVICE_ENVELOPE",
                                       "TS_REQUEST_SEQUENCE_ID",
                                       "TS_REQUEST_SEQUENCE_START",
                                       "TS_REQUEST_SEQUENCE_END",
                                       "TS_IPEX_GPU_ENABLE",
                                       "CC",
                                       "CXX"};

constexpr std::string_view kPrefixes[] = {
    "LC_",     "OMP_",    "GOMP_",          "KMP_",         "MKL_",      "OPENBLAS_",
    "GOTO_",   "BLIS_",   "NUMEXPR_",       "NUMBA_",       "DNNL_",     "ONEDNN_",
    "TBB_",    "ARROW_",  "MALLOC_",        "MIMALLOC_",    "TCMALLOC_", "CUDA_",
    "CUDNN_",  "CUBLAS_", "NVIDIA_",        "NCCL_",        "HIP_",      "ROCM_",
    "HSA_",    "TORCH_",  "TORCHINDUCTOR_", "TORCHDYNAMO_", "PYTORCH_",  "ATEN_",
    "TRITON_", "ORT_",    "OPENVINO_",      "TF_",          "XLA_",      "JAX_"};

constexpr std::string_view kSecretParts[] = {"TOKEN",      "SECRET",     "PASSWORD", "PASSWD",
                                             "PASSPHRASE", "CREDENTIAL", "API_KEY",  "APIKEY",
                                             "_KEY",       "AUTH"};

bool Contains(std::string_view text, std::string_view part) { return text.find(part) != text.npos; }

}  // namespace

bool IsInheritedVariable(std::string_view name) {
  if (std::find(std::begin(kNames), std::end(kNames), name) != std::end(kNames)) {
    return true;
  }
  return std::any_of(std::begin(kPrefixes), std::end(kPrefixes),
                     [&](std::string_view prefix) { return name.starts_with(prefix); }) &&
         std::none_of(std::begin(kSecretParts), std::end(kSecretParts),
                      [&](std::string_view part) { return Contains(name, part); });
}

std::map<std::string, std::string> ChosenEnvironment(const char* const* environment,
                                                     std::span<const std::string> also) {
  std::map<std::string, std::string> chosen;
  for (const char* const* entry = environment; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const std::size_t equals = text.find('=');
    if (equals == text.npos || equals == 0) {
      continue;
    }
    const std::string_view name = text.substr(0, equals);
    if (IsInheritedVariable(name) || std::find(also.begin(), also.end(), name) != also.end()) {
      chosen.emplace(name, text.substr(equals + 1));
    }
  }
  return chosen;
}

std::optional<std::string> FindProgram(const std::string& name, std::string_view path) {
  if (name.find('/') != name.npos) {
    return name;
  }
  while (!path.empty() && !name.empty()) {
    const std::size_t colon = path.find(':');
    const std::string_view folder = path.substr(0, colon);
    path.remove_prefix(colon == path.npos ? path.size() : colon + 1);
    if (folder.empty()) {
      continue;  // the working directory, to a shell; nothing to start programs from
    }
    std::string candidate = std::string(folder) + "/" + name;
    struct stat status;
    if (stat(candidate.c_str(), &status) == 0 && S_ISREG(status.st_mode) &&
        access(candidate.c_str(), X_OK) == 0) {
      return candidate;
    }
  }
  return std::nullopt;
}

}  // namespace headrace::worker
