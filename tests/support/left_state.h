// SPDX-License-Identifier: MIT
// A state that some version of popsync left (tests/states/VERSION.tar.gz, made by leave_state), unpacked: its state directory and mailstores in a
// home of its own, its maildrops on a server. All paths, and the server's port, are put right in configuration and database; all times are moved so
// that it was left a day ago.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "support/maildrop_server.h"
#include "support/program_home.h"

namespace popsync::test {

class LeftState {
 public:
  // Throws std::runtime_error if the archive is none.
  explicit LeftState(const std::string& archive);

  [[nodiscard]] const ProgramHome& home() const { return home_; }
  [[nodiscard]] MaildropServer& server() { return server_; }
  // "true", "false" or "\"14d\"", for every account.
  void leave_on_server(const std::string& value) const;

  [[nodiscard]] const std::vector<std::string>& accounts() const { return accounts_; }
  // The messages in an account's mailstore, sorted.
  [[nodiscard]] std::vector<std::string> mail_of(const std::string& account) const;

  struct Row {
    std::string account;
    std::string uid;
    int state = 0;  // state::RowState
    bool removable = false;
    bool dele_sent = false;
    auto operator<=>(const Row&) const = default;
  };
  // By account and unique-id.
  [[nodiscard]] std::vector<Row> rows() const;
  [[nodiscard]] int schema_version() const;
  // Takes back the newest step of 0.1.0, an index: tables that every popsync has to change.
  void take_back_a_step() const;
  // Changes the database behind popsync's back.
  void change(const std::string& sql) const;

 private:
  struct Place {
    bool mbox = false;
    std::string path;
  };

  void read_origin();
  void move_here() const;
  void fill_maildrops();

  MaildropServer server_;
  ProgramHome home_;
  std::string folder_;  // where it was made
  std::string port_;
  std::string made_;  // when, in seconds of the epoch
  std::vector<std::string> accounts_;
  std::map<std::string, Place> places_;
};

}  // namespace popsync::test
