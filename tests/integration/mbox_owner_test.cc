// SPDX-License-Identifier: MIT
// Whose an mbox and its folder may be, and who else may write there: `check` and `sync` say the same. /var/mail, as Debian has it, is fine.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iostream>

#include "support/folder_content.h"
#include "support/maildrop_server.h"
#include "support/mbox_text.h"
#include "support/message_corpus.h"
#include "support/program_home.h"

namespace popsync::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

constexpr uid_t kRoot = 0;
constexpr uid_t kNobody = 65534;
constexpr uid_t kSomebody = 65533;
constexpr gid_t kMail = 8;

struct MboxOwner : testing::Test {
  void SetUp() override {
    server.add(small_message("first"));
    home.configure_with("[accounts.home]\nhost = \"127.0.0.1\"\nport = " + std::to_string(server.port()) + "\nuser = \"" + MaildropServer::kUser +
                        "\"\npassword = \"" + MaildropServer::kPassword + "\"\ntls = \"none\"\nallow_insecure_auth = true\nmbox = \"" + mbox() +
                        "\"\n");
    (void)home.folder().make("spool");
    if (::geteuid() != kRoot) return;
    set(home.folder().path(), kNobody, kNobody, 0700);
    for (const auto& entry : fs::recursive_directory_iterator(home.folder().path())) ASSERT_EQ(::lchown(entry.path().c_str(), kNobody, kNobody), 0);
  }

  static void set(const std::string& path, uid_t owner, gid_t group, mode_t mode) {
    ASSERT_EQ(::chown(path.c_str(), owner, group), 0) << path;
    ASSERT_EQ(::chmod(path.c_str(), mode), 0) << path;
  }
  void make_file(uid_t owner, gid_t group, mode_t mode) {
    std::ofstream(mbox()).close();
    set(mbox(), owner, group, mode);
  }
  ProgramResult run(std::vector<std::string> arguments, std::vector<gid_t> groups = {}) {
    ProgramCall call = home.call(std::move(arguments));
    call.unprivileged = true;
    call.groups = std::move(groups);
    return run_program(call);
  }
  void expect_refused(const std::string& why) {
    server.clear_record();
    for (const std::string command : {"check", "sync"}) {
      const ProgramResult result = run({command});
      EXPECT_EQ(result.status, 73) << command << result.out << result.err;
      EXPECT_THAT(result.out + result.err, HasSubstr(why)) << command;
    }
    EXPECT_EQ(server.record().count("USER"), 0U) << "nothing is fetched for a mailstore that cannot be used";
  }
  void expect_delivered(std::vector<gid_t> groups = {}) {
    EXPECT_EQ(run({"check"}, groups).status, 0);
    const ProgramResult sync = run({"sync"}, groups);
    EXPECT_EQ(sync.status, 0) << sync.err;
    std::vector<std::string> here;
    for (MboxText& entry : entries_of(content_of(mbox()))) here.push_back(std::move(entry.message));
    EXPECT_EQ(here, as_stored(server.messages()));
  }
  [[nodiscard]] std::string spool() const { return home.folder() / "spool"; }
  [[nodiscard]] std::string mbox() const { return spool() + "/box"; }

  MaildropServer server;
  ProgramHome home;
};

#define NEED_ROOT()                                                        \
  if (::geteuid() != kRoot) {                                              \
    std::cout << "not tried: only root can give files to somebody else\n"; \
    return;                                                                \
  }

TEST_F(MboxOwner, WhatEverybodyMayWriteToIsRefusedUntilItIsPutRight) {
  make_file(::geteuid() == kRoot ? kNobody : ::geteuid(), ::getegid(), 0662);
  expect_refused("everybody may write to the mbox");
  ASSERT_EQ(::chmod(mbox().c_str(), 0660), 0);
  expect_delivered();
  ASSERT_EQ(::chmod(mbox().c_str(), 0602), 0);
  server.add(small_message("second"));
  expect_refused("chmod o-w");
  EXPECT_EQ(entries_of(content_of(mbox())).size(), 1U);
}

TEST_F(MboxOwner, AFileOfSomebodyElseIsRefusedAndOneOfRootsIsNot) {
  NEED_ROOT();
  make_file(kSomebody, kNobody, 0660);
  expect_refused("belongs to another user (65533)");
  set(mbox(), kRoot, kNobody, 0660);
  expect_delivered();
  set(mbox(), kSomebody, kNobody, 0660);
  server.add(small_message("second"));
  expect_refused("belongs to another user (65533)");
}

TEST_F(MboxOwner, AFolderOfSomebodyElseThatEverybodyMayWriteToNeedsTheStickyBit) {
  NEED_ROOT();
  for (const uid_t owner : {kRoot, kSomebody}) {
    set(spool(), owner, owner, 0777);
    expect_refused("of the mbox belongs to another user and others may write to it");
    EXPECT_FALSE(fs::exists(mbox()));
  }
  set(spool(), kRoot, kRoot, 01777);
  expect_delivered();
  set(spool(), kRoot, kRoot, 0777);
  expect_refused("chmod +t");
  set(spool(), kNobody, kNobody, 0777);
  server.add(small_message("second"));
  expect_delivered();
}

// As Debian has it: root:mail 2775, and USER:mail 0660 in it.
struct VarMail : MboxOwner {
  void SetUp() override {
    MboxOwner::SetUp();
    if (::geteuid() != kRoot) return;
    set(spool(), kRoot, kMail, 02775);
    make_file(kNobody, kMail, 0660);
    // No process has this number (PID_MAX_LIMIT): who may make a dot lock takes it over, and removes it behind the append.
    std::ofstream(mbox() + ".lock") << "4194305\n";
    set(mbox() + ".lock", kSomebody, kMail, 0664);
  }
};

TEST_F(VarMail, WhoIsInTheGroupDeliversUnderADotLock) {
  NEED_ROOT();
  EXPECT_THAT(run({"check"}, {kMail}).out, HasSubstr("fcntl, then " + mbox() + ".lock"));
  expect_delivered({kMail});
  EXPECT_FALSE(fs::exists(mbox() + ".lock"));
  struct stat found {};
  ASSERT_EQ(::stat(mbox().c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 07777U, 0660U);
  EXPECT_EQ(found.st_gid, kMail);
}

TEST_F(VarMail, WhoIsNotInTheGroupDeliversUnderFcntlAloneAndCheckSaysSo) {
  NEED_ROOT();
  EXPECT_THAT(run({"check"}).out, HasSubstr("its folder cannot be written, so there is no dot lock; fcntl alone keeps other programs out"));
  expect_delivered();
  EXPECT_TRUE(fs::exists(mbox() + ".lock"));
}

}  // namespace
}  // namespace popsync::test
