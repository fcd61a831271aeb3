// SPDX-License-Identifier: MIT
#include "delivery/staging.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <memory>
#include <string>
#include <utility>

#include "base/error.h"
#include "support/forwarding_fs.h"
#include "unit/config/temp_folder.h"

namespace popsync::delivery {
namespace {

using testing::IsEmpty;
using testing::UnorderedElementsAre;

class StagingTest : public testing::Test {
 protected:
  StagingTest() : staging_(real_fs(), std::move(*real_fs().open_root(folder_.path()))) {}

  [[nodiscard]] std::string path(const std::string& name) const { return folder_.path() + "/" + name; }
  [[nodiscard]] bool exists(const std::string& name) const { return std::filesystem::exists(path(name)); }

  config::TempFolder folder_;
  SyncPool pool_{2};
  StagingFolder staging_;
};

TEST_F(StagingTest, AMessageIsStoredWithLfAndItsPrintsAreThoseOfTheFile) {
  const auto message = staging_.begin("m");
  message->write("Subject: x\r");
  message->write("\n\r\nbody\r\r\n\r");
  message->finish();
  message->start_sync(pool_);
  message->wait_synced();
  const std::string stored = "Subject: x\n\nbody\r\n\r";
  EXPECT_EQ(config::content_of(path("m")), stored);
  EXPECT_EQ(message->name(), "m");
  EXPECT_EQ(message->wire_octets(), 22U);
  EXPECT_EQ(message->prints().stored_size, stored.size());
  EXPECT_EQ(message->prints().sha256, sha256(stored));
  EXPECT_EQ(message->prints().fingerprint, prints_of(stored).fingerprint);
  EXPECT_EQ(staging_.sha256_of("m"), sha256(stored));
}

TEST_F(StagingTest, AMessageLargerThanAnyBufferIsStoredWhole) {
  const auto message = staging_.begin("m");
  std::string stored;
  for (std::size_t i = 0; i < 3000; ++i) {
    const std::string line(1 + i % 997, static_cast<char>('a' + i % 26));
    message->write(line + "\r");
    message->write("\n");
    stored += line + "\n";
  }
  message->finish();
  message->start_sync(pool_);
  message->wait_synced();
  EXPECT_EQ(config::content_of(path("m")), stored);
  EXPECT_EQ(message->prints().sha256, sha256(stored));
}

TEST_F(StagingTest, AnEmptyMessageIsAnEmptyFile) {
  const auto message = staging_.begin("m");
  message->finish();
  message->start_sync(pool_);
  message->wait_synced();
  EXPECT_EQ(config::content_of(path("m")), "");
  EXPECT_EQ(message->prints().sha256, sha256(""));
}

TEST_F(StagingTest, AMessageIsOursAloneToRead) {
  const auto message = staging_.begin("m");
  EXPECT_EQ(real_fs().stat(staging_.dir(), "m")->mode, 0600U);
}

TEST_F(StagingTest, DestroyedBeforeKeepItsFileGoes) {
  staging_.begin("unfinished");
  EXPECT_FALSE(exists("unfinished"));
  {
    const auto message = staging_.begin("syncing");
    message->write("x");
    message->finish();
    message->start_sync(pool_);
  }
  EXPECT_FALSE(exists("syncing"));
  {
    const auto message = staging_.begin("synced");
    message->finish();
    message->start_sync(pool_);
    message->wait_synced();
    EXPECT_TRUE(exists("synced"));
  }
  EXPECT_FALSE(exists("synced"));
}

TEST_F(StagingTest, KeptItsFileStays) {
  {
    const auto message = staging_.begin("m");
    message->write("x");
    message->finish();
    message->start_sync(pool_);
    message->wait_synced();
    message->keep();
  }
  EXPECT_EQ(config::content_of(path("m")), "x");
}

TEST_F(StagingTest, AFileThatIsGoneAlreadyDoesNotTroubleTheDestructor) {
  const auto message = staging_.begin("m");
  EXPECT_TRUE(staging_.remove("m"));
}

TEST_F(StagingTest, ANameIsNeverStagedTwice) {
  folder_.write("m", "precious");
  EXPECT_THROW(staging_.begin("m"), Error);
  EXPECT_EQ(config::content_of(path("m")), "precious");
}

// The kernel's, but no sync ever works.
class NeverSynced : public test::ForwardingFs {
 public:
  void sync_file(int /*fd*/) override { throw Error(ErrorCode::io_error, "no sync"); }
  bool sync_names(int /*dir*/) override { throw Error(ErrorCode::io_error, "no sync"); }
};

TEST_F(StagingTest, AFailedSyncReachesTheCallerAndTheFileGoes) {
  NeverSynced fs;
  std::string buffer;
  {
    StagedMessage message(fs, staging_.dir(), "m", buffer);
    message.finish();
    message.start_sync(pool_);
    EXPECT_THROW(message.wait_synced(), Error);
  }
  EXPECT_FALSE(exists("m"));
}

TEST_F(StagingTest, NamesAreMessagesAndNotTheGeneration) {
  EXPECT_THAT(staging_.names(), IsEmpty());
  folder_.write("a", "");
  folder_.write("b", "");
  folder_.write("gen.12", "");
  folder_.write("gen.x", "");  // not ours to know, so it counts as a stray file
  EXPECT_THAT(staging_.names(), UnorderedElementsAre("a", "b", "gen.x"));
}

TEST_F(StagingTest, RemovingWhatIsAbsentSaysSo) {
  EXPECT_FALSE(staging_.remove("none"));
  EXPECT_EQ(staging_.sha256_of("none"), std::nullopt);
}

TEST_F(StagingTest, TheGenerationCountsOnInOneFile) {
  EXPECT_EQ(staging_.generation(), std::nullopt);
  staging_.set_generation(0);
  EXPECT_EQ(staging_.generation(), 0U);
  staging_.set_generation(1);
  staging_.set_generation(1);
  staging_.set_generation(2);
  staging_.sync();
  EXPECT_EQ(staging_.generation(), 2U);
  EXPECT_THAT(real_fs().list(staging_.dir()), UnorderedElementsAre("gen.2"));
}

TEST_F(StagingTest, OfSeveralGenerationsTheNewestCounts) {
  folder_.write("gen.9", "");
  folder_.write("gen.10", "");
  folder_.write("gen.", "");
  folder_.write("gen.11x", "");
  EXPECT_EQ(staging_.generation(), 10U);
}

TEST_F(StagingTest, TheSha256OfAFileIsReadFromTheDisk) {
  const std::string large(700'000, 'x');
  folder_.write("m", large);
  EXPECT_EQ(staging_.sha256_of("m"), sha256(large));
  folder_.write("m", std::string(large.size(), '\0'));
  EXPECT_NE(staging_.sha256_of("m"), sha256(large));
}

}  // namespace
}  // namespace popsync::delivery
