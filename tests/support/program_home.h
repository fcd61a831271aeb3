// SPDX-License-Identifier: MIT
// A user's world for the program: an empty HOME, a configuration file, a state directory and the Maildirs it fills, all in one temporary folder.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "support/program_run.h"
#include "support/temp_folder.h"

namespace popsync::test {

// [accounts.NAME] with the keys a test needs; maildir is ProgramHome::maildir(name) unless given.
struct AccountText {
  std::string name = "home";
  std::uint16_t port = 0;
  std::string host = "127.0.0.1";
  std::string user = "alice";
  std::string password = "open-sesame";
  std::string tls = "none";  // with allow_insecure_auth
  std::string ca_file = {};
  std::string maildir = {};
  std::vector<std::string> more = {};  // lines: "leave_on_server = false"
};

class ProgramHome {
 public:
  ProgramHome();

  // Writes the configuration file anew. `daemon`: lines for [daemon].
  void configure_all(const std::vector<AccountText>& accounts, const std::vector<std::string>& daemon = {}) const;
  void configure(const AccountText& account) const { configure_all({account}); }
  // The file as it is.
  void configure_with(const std::string& text) const;

  // `popsync ARGUMENTS -c CONFIG --state-dir STATE` in this HOME.
  [[nodiscard]] ProgramCall call(std::vector<std::string> arguments) const;
  ProgramResult run(std::vector<std::string> arguments) const {  // NOLINT(modernize-use-nodiscard): often for its effect alone
    return run_program(call(std::move(arguments)));
  }
  [[nodiscard]] std::unique_ptr<ProgramRun> start(std::vector<std::string> arguments) const {
    return std::make_unique<ProgramRun>(call(std::move(arguments)));
  }

  [[nodiscard]] const TempFolder& folder() const { return folder_; }
  [[nodiscard]] std::string config_file() const { return folder_ / "config/popsync.toml"; }
  [[nodiscard]] std::string state_dir() const { return folder_ / "state"; }
  [[nodiscard]] std::string maildir(const std::string& name = "home") const { return folder_ / ("mail/" + name); }

 private:
  TempFolder folder_;
};

// What stands in new/ and cur/ of a Maildir, sorted; empty if there is no such folder.
std::vector<std::string> messages_in(const std::string& maildir);
// The paths of these files.
std::vector<std::string> message_files(const std::string& maildir);
// Messages left in the staging folders of a Maildir.
std::vector<std::string> staged_in(const std::string& maildir);
// As popsync has to store them, sorted: to be compared with messages_in().
std::vector<std::string> as_stored(std::vector<std::string> messages);

// The value at `path` ("accounts[0].error.code") of the one JSON object in `text`, as text; "null" for null, "(absent)" if there is none. Throws
// std::runtime_error if the text is not one JSON object and a line end.
std::string json_at(const std::string& text, const std::string& path);

}  // namespace popsync::test
