// SPDX-License-Identifier: MIT
#include "support/left_state.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <sqlite3.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <utility>

#include "support/folder_content.h"
#include "support/mbox_text.h"

namespace popsync::test {

namespace {

namespace fs = std::filesystem;

// Times in the database lie around the moment at which it was left, and no other number in it does.
constexpr std::int64_t kDay = 86'400;
constexpr std::int64_t kTimesBefore = 60 * kDay;
constexpr std::int64_t kTimesBehind = 2 * kDay;

std::string replaced(std::string text, const std::string& old, const std::string& by) {
  for (std::size_t at = text.find(old); at != std::string::npos; at = text.find(old, at + by.size())) text.replace(at, old.size(), by);
  return text;
}

std::vector<std::string> first_column(SQLite::Database& database, const std::string& sql) {
  std::vector<std::string> values;
  SQLite::Statement query(database, sql);
  while (query.executeStep()) values.push_back(query.getColumn(0).getString());
  return values;
}

// Every column of every table, so that it holds for tables of any version.
void change_everywhere(SQLite::Database& database, const std::string& set_column_where) {
  for (const std::string& table : first_column(database, "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'")) {
    for (const std::string& column : first_column(database, "SELECT name FROM pragma_table_info('" + table + "')")) {
      database.exec("UPDATE " + table + " SET " + replaced(set_column_where, "COLUMN", column));
    }
  }
}

}  // namespace

LeftState::LeftState(const std::string& archive) {
  const ProgramResult unpacked =
      run_program({.arguments = {"-C", home_.folder().path(), "-xpmzf", archive, "--no-same-owner"}, .program = "/bin/tar"});
  if (unpacked.status != 0) throw std::runtime_error(archive + ": " + unpacked.err);
  read_origin();
  move_here();
  fill_maildrops();
}

void LeftState::read_origin() {
  std::istringstream lines(home_.folder().read("origin"));
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string key;
    std::string value;
    words >> key >> value;
    if (key == "folder") folder_ = value;
    if (key == "port") port_ = value;
    if (key == "made") made_ = value;
    if (key != "maildir" && key != "mbox") continue;
    std::string path;
    words >> path;
    accounts_.push_back(value);
    places_[value] = {.mbox = key == "mbox", .path = home_.folder() / path};
  }
  if (folder_.empty() || port_.empty() || made_.empty() || accounts_.empty()) throw std::runtime_error("the file `origin` says too little");
}

void LeftState::move_here() const {
  const std::string& here = home_.folder().path();
  const std::string port = std::to_string(server_.port());
  std::string configuration = replaced(home_.folder().read("config/popsync.toml"), folder_, here);
  home_.configure_with(replaced(std::move(configuration), "port = " + port_ + "\n", "port = " + port + "\n"));
  SQLite::Database database(home_.state_dir() + "/state.db", SQLITE_OPEN_READWRITE);
  // The newest commits were left in the log, and stay there.
  sqlite3_db_config(database.getHandle(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  database.exec("PRAGMA synchronous = OFF; PRAGMA wal_autocheckpoint = 0; BEGIN");
  for (const auto& [old, by] : {std::pair(folder_, here), std::pair("127.0.0.1:" + port_, "127.0.0.1:" + port)}) {
    change_everywhere(database,
                      "COLUMN = replace(COLUMN, '" + old + "', '" + by + "') WHERE typeof(COLUMN) = 'text' AND instr(COLUMN, '" + old + "')");
  }
  const std::int64_t made = std::stoll(made_);
  const auto now = std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
  change_everywhere(database, "COLUMN = COLUMN + " + std::to_string(now - kDay - made) + " WHERE typeof(COLUMN) = 'integer' AND COLUMN BETWEEN " +
                                  std::to_string(made - kTimesBefore) + " AND " + std::to_string(made + kTimesBehind));
  database.exec("COMMIT");
}

void LeftState::fill_maildrops() {
  for (const std::string& account : accounts_) {
    server_.add_user(account, MaildropServer::kPassword);
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(home_.folder() / ("maildrops/" + account))) files.push_back(entry.path());
    std::ranges::sort(files);
    for (const fs::path& file : files) server_.add_to(account, content_of(file), file.extension().string().substr(1));
  }
}

void LeftState::leave_on_server(const std::string& value) const {
  home_.configure_with(
      replaced(home_.folder().read("config/popsync.toml"), "[defaults]\nleave_on_server = true\n", "[defaults]\nleave_on_server = " + value + "\n"));
}

std::vector<std::string> LeftState::mail_of(const std::string& account) const {
  const Place& place = places_.at(account);
  if (!place.mbox) return messages_in(place.path);
  std::vector<std::string> messages;
  for (MboxText& entry : entries_of(content_of(place.path))) messages.push_back(std::move(entry.message));
  std::ranges::sort(messages);
  return messages;
}

std::vector<LeftState::Row> LeftState::rows() const {
  const SQLite::Database database(home_.state_dir() + "/state.db", SQLITE_OPEN_READONLY);
  SQLite::Statement query(
      database,
      "SELECT account.name, CAST(uid AS TEXT), state, removable, dele_sent FROM message JOIN account ON account.id = message.account "
      "ORDER BY account.name, uid");
  std::vector<Row> rows;
  while (query.executeStep()) {
    rows.push_back({.account = query.getColumn(0).getString(),
                    .uid = query.getColumn(1).getString(),
                    .state = query.getColumn(2).getInt(),
                    .removable = query.getColumn(3).getInt() != 0,
                    .dele_sent = query.getColumn(4).getInt() != 0});
  }
  return rows;
}

int LeftState::schema_version() const {
  SQLite::Database database(home_.state_dir() + "/state.db", SQLITE_OPEN_READONLY);
  return database.execAndGet("PRAGMA user_version").getInt();
}

void LeftState::take_back_a_step() const { change("DROP INDEX account_by_user; PRAGMA user_version=8"); }

void LeftState::change(const std::string& sql) const {
  SQLite::Database database(home_.state_dir() + "/state.db", SQLITE_OPEN_READWRITE);
  sqlite3_db_config(database.getHandle(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  database.exec(sql);
}

}  // namespace popsync::test
