// SPDX-License-Identifier: MIT
// The disk takes longer than the server waits for a command.
#include <gtest/gtest.h>

#include "support/forwarding_fs.h"
#include "support/maildrop_server.h"
#include "support/message_corpus.h"
#include "support/program_home.h"
#include "support/sync_in_process.h"

namespace popsync::test {
namespace {

// Once a message was retrieved, nothing is renamed before the server has heard NOOP.
class WaitingDisk : public ForwardingFs {
 public:
  explicit WaitingDisk(const MaildropServer& server) : server_(server) {}
  bool rename(int from_dir, const std::string& from, int to_dir, const std::string& to) override {
    if (server_.record().count("RETR") > 0) {
      EXPECT_TRUE(server_.wait_for([](const MaildropRecord& record) { return record.count("NOOP") > 0; }));
    }
    return ForwardingFs::rename(from_dir, from, to_dir, to);
  }

 private:
  const MaildropServer& server_;
};

// protocol.md 109
TEST(SlowDisk, NoopKeepsTheSessionWhileTheDiskIsWaitedFor) {
  MaildropServer server;
  server.add(small_message("one"));
  WaitingDisk disk(server);
  SyncInProcess popsync(server);
  popsync.fs = &disk;
  popsync.settings.patience.keep_alive = std::chrono::milliseconds(20);
  const sync::SyncReport report = popsync.sync();
  EXPECT_FALSE(report.error) << report.error->what();
  EXPECT_EQ(report.fetched, 1U);
  EXPECT_EQ(server.record().count("QUIT"), 1U);
}

}  // namespace
}  // namespace popsync::test
