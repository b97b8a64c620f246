// The vocabulary in an archive, source_vocab.pt: a file of torch.save.
#ifndef HEADRACE_REPOSITORY_NATIVE_VOCABULARY_H_
#define HEADRACE_REPOSITORY_NATIVE_VOCABULARY_H_

#include <string>

#include "base/result.h"
#include "handler/vocabulary.h"

namespace headrace::repository {

// Unless the manifest names another one (`sourceVocab`).
inline constexpr char kVocabularyFile[] = "source_vocab.pt";

// A zip with a data.pkl, as torch.save writes it, or the form before PyTorch 1.6; a plain
// dictionary in either. Nothing in it is executed. INVALID_ARGUMENT says what is not so; Python may
// still read the file. Blocks on the file system.
Result<handler::Vocabulary> ReadVocabulary(const std::string& path);

}  // namespace headrace::repository

#endif  // HEADRACE_REPOSITORY_NATIVE_VOCABULARY_H_
