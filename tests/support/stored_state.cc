// SPDX-License-Identifier: MIT
#include "support/stored_state.h"

#include <sqlite3.h>

#include <memory>
#include <stdexcept>

namespace popsync::test {
namespace {

using Database = std::unique_ptr<sqlite3, decltype([](sqlite3* database) { sqlite3_close(database); })>;

Database open(const std::string& state_dir) {
  sqlite3* database = nullptr;
  const int code = sqlite3_open_v2((state_dir + "/state.db").c_str(), &database, SQLITE_OPEN_READWRITE, nullptr);
  Database opened(database);
  if (code != SQLITE_OK) throw std::runtime_error(sqlite3_errstr(code));
  sqlite3_busy_timeout(database, 10'000);
  return opened;
}

std::string run(const std::string& state_dir, const std::string& sql) {
  const Database database = open(state_dir);
  std::string first;
  char* message = nullptr;
  const auto keep_first = [](void* out, int /*columns*/, char** values, char** /*names*/) {
    auto& text = *static_cast<std::string*>(out);
    if (text.empty() && values[0] != nullptr) text = values[0];
    return 0;
  };
  if (sqlite3_exec(database.get(), sql.c_str(), keep_first, &first, &message) != SQLITE_OK) {
    const std::string told = message == nullptr ? "sqlite3_exec" : message;
    sqlite3_free(message);
    throw std::runtime_error(told + ": " + sql);
  }
  return first;
}

}  // namespace

void change_state(const std::string& state_dir, const std::string& sql) { run(state_dir, sql); }

std::string ask_state(const std::string& state_dir, const std::string& sql) { return run(state_dir, sql); }

}  // namespace popsync::test
