// The file of samples that makes a run go on where another ended.
#ifndef HEADRACE_TUNE_JOURNAL_FILE_H_
#define HEADRACE_TUNE_JOURNAL_FILE_H_

#include <cstdio>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace headrace::tune {

// One JSON object on a line: first a head that says what was tuned, then a sample each, behind the
// key of what was measured. One thread.
class JournalFile {
 public:
  // `head`: model, SLA and what else makes samples comparable. A file that is there must have the
  // same (FAILED_PRECONDITION names both); its last line may be cut short. "" = no file: nothing is
  // known and nothing is kept.
  static Result<std::unique_ptr<JournalFile>> Open(const std::string& path,
                                                   const std::string& head);
  ~JournalFile();
  JournalFile(const JournalFile&) = delete;
  JournalFile& operator=(const JournalFile&) = delete;

  // The oldest sample with that key, which is gone then; "" = there is none.
  std::string Take(const std::string& key);
  void Write(const std::string& key, std::string_view sample);

  int answered() const { return answered_; }  // by Take

 private:
  JournalFile() = default;

  std::FILE* file_ = nullptr;
  std::map<std::string, std::deque<std::string>> known_;
  int answered_ = 0;
};

}  // namespace headrace::tune

#endif  // HEADRACE_TUNE_JOURNAL_FILE_H_
