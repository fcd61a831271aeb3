// SPDX-License-Identifier: MIT
#include "killed_sync.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

#include "support/message_corpus.h"

namespace popsync::test {

namespace {

constexpr std::size_t kMessages = 4;  // of each user: several share a batch

}  // namespace

void PrintTo(const Setting& setting, std::ostream* out) { *out << setting.name; }

std::vector<Setting> settings() {
  std::vector<Setting> all = removing();
  for (const MailTarget& target : {maildir_target(), mbox_target()}) {
    all.push_back({.name = target.name + "Leaving", .target = target});
    all.push_back({.name = target.name + "SharedByTwo", .target = target, .leave_on_server = false, .users = {MaildropServer::kUser, "bob"}});
    all.push_back({.name = target.name + "SyncedBefore", .target = target, .leave_on_server = false, .synced_before = true});
  }
  return all;
}

std::vector<Setting> removing() {
  std::vector<Setting> all;
  for (const MailTarget& target : {maildir_target(), mbox_target()}) {
    all.push_back({.name = target.name + "Removing", .target = target, .leave_on_server = false});
  }
  return all;
}

KilledSync::KilledSync(const Setting& setting) : setting_(setting) {
  for (const std::string& user : setting.users) server_.add_user(user, MaildropServer::kPassword);
  if (setting.synced_before) {
    fill(0, kMessages / 2);
    configure(true);
    const ProgramResult first = home_.run({"sync"});
    EXPECT_EQ(first.status, 0) << first.err;
    EXPECT_EQ(setting_.target.messages(home_), all_);
    server_.clear_record();
  }
  fill(setting.synced_before ? kMessages / 2 : 0, kMessages);
  configure(setting.leave_on_server);
}

void KilledSync::fill(std::size_t from, std::size_t to) {
  for (const std::string& user : setting_.users) {
    for (std::size_t i = from; i < to; ++i) {
      std::string message = small_message(user + " " + std::to_string(i), std::string(200 + i, 'x') + "\r\n.\r\nFrom here\r\n");
      all_.push_back(octets_stored(message));
      server_.add_to(user, std::move(message));
    }
  }
  std::ranges::sort(all_);
}

void KilledSync::configure(bool leave_on_server) const {
  std::string text;
  for (const std::string& user : setting_.users) {
    text += "[accounts." + user + "]\nhost = \"127.0.0.1\"\nport = " + std::to_string(server_.port()) + "\nuser = \"" + user + "\"\npassword = \"" +
            MaildropServer::kPassword + "\"\ntls = \"none\"\nallow_insecure_auth = true\nleave_on_server = " + (leave_on_server ? "true" : "false") +
            "\n" + setting_.target.configuration(home_) + "\n";
  }
  home_.configure_with(text);
}

void KilledSync::expect_nothing_lost() {
  // The server may still be at work on a QUIT that was sent before the kill.
  ASSERT_TRUE(server_.wait_for([](const MaildropRecord& record) { return record.open_sessions == 0; }));
  const std::vector<std::string> here = setting_.target.visible(home_);
  std::vector<std::string> gone;
  for (const RemovedMessage& removed : server_.record().removed) gone.push_back(octets_stored(removed.octets));
  std::ranges::sort(gone);
  EXPECT_TRUE(std::ranges::includes(here, gone)) << "a message is gone from the server and not here";
  if (setting_.target.whole_at_any_time) {
    EXPECT_TRUE(std::ranges::includes(all_, here)) << "a message is here twice, or in part";
  }
}

void KilledSync::expect_recovery() {
  const ProgramResult next = home_.run({"sync"});
  EXPECT_EQ(next.status, 0) << next.err;
  EXPECT_EQ(setting_.target.messages(home_), all_);
  EXPECT_THAT(setting_.target.unfinished(home_), testing::IsEmpty());
  if (!setting_.leave_on_server) {
    for (const std::string& user : setting_.users) EXPECT_EQ(server_.count(user), 0U) << user;
  }
  const ProgramResult again = home_.run({"sync", "--json"});
  EXPECT_EQ(again.status, 0) << again.err;
  for (std::size_t account = 0; account < setting_.users.size(); ++account) {
    EXPECT_EQ(json_at(again.out, "accounts[" + std::to_string(account) + "].fetched"), "0") << again.out;
  }
  EXPECT_EQ(setting_.target.messages(home_), all_);
}

}  // namespace popsync::test
