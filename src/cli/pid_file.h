// The file that says which process is the running TorchServe (contracts, TorchServe 5.3).
#ifndef HEADRACE_CLI_PID_FILE_H_
#define HEADRACE_CLI_PID_FILE_H_

#include <sys/types.h>

#include <string>

#include "base/result.h"
#include "base/unique_fd.h"

namespace headrace::cli {

// Whoever holds the file's lock is running; a file that nobody has locked is left over, whatever
// process has its number by now. A TorchServe of Java's locks nothing and is known by its command
// line.
class PidFile {
 public:
  // Opens the file and takes the lock. `running`: another process has it. PERMISSION_DENIED: it is
  // not ours.
  struct Taken;
  static Result<Taken> Take(const std::string& path);

  PidFile(PidFile&&) = default;
  // Lets the lock go, in this process; a child that was made in between keeps it.
  ~PidFile() = default;

  // Writes the number of the process that serves.
  Status Write(pid_t process) const;
  // Removes the file, while the lock is held.
  void Remove() const;

 private:
  PidFile(std::string path, UniqueFd file) : path_(std::move(path)), file_(std::move(file)) {}

  std::string path_;
  UniqueFd file_;
};

struct PidFile::Taken {
  PidFile file;
  pid_t running = 0;      // 0: nobody, and the lock is ours
  bool orphaned = false;  // the file was left over
};

}  // namespace headrace::cli

#endif  // HEADRACE_CLI_PID_FILE_H_
