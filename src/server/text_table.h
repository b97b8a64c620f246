// Draws tables with +---+ and | for the start-up log.
#ifndef HEADRACE_SERVER_TEXT_TABLE_H_
#define HEADRACE_SERVER_TEXT_TABLE_H_

#include <string>
#include <vector>

namespace headrace::server {

// The first row is the heading. Rows may be shorter than it.
std::string DrawTable(const std::vector<std::vector<std::string>>& rows);

}  // namespace headrace::server

#endif  // HEADRACE_SERVER_TEXT_TABLE_H_
