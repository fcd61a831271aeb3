// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stop_token>
#include <string>

#include "base/error.h"
#include "secrets/secret_source.h"

namespace popsync::secrets {
namespace {

using std::chrono_literals::operator""h;
using std::chrono_literals::operator""s;
namespace fs = std::filesystem;

class SecretKeeperTest : public testing::Test {
 protected:
  SecretKeeperTest() {
    std::string pattern = testing::TempDir() + "popsync-keeper-XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
  }
  ~SecretKeeperTest() override { fs::remove_all(folder_); }

  // `age` tells one writing from the next: two in the same tick of the file system's clock would look alike.
  void write(std::string_view content, std::chrono::seconds age) {
    std::ofstream(path(), std::ios::trunc) << content;
    ASSERT_EQ(::chmod(path().c_str(), 0600), 0);
    fs::last_write_time(path(), fs::file_time_type::clock::now() - age);
  }
  std::string path() const { return folder_ + "/password"; }
  // Prints one more line each time it runs.
  SecretSpec counting_command() const {
    return {.kind = SourceKind::command, .value = {}, .command = {"/bin/sh", "-c", "echo x >>" + folder_ + "/runs; wc -l <" + folder_ + "/runs"}};
  }

  std::string folder_;
  std::stop_source source_;
  StopSignal stop_{source_.get_token()};
};

TEST_F(SecretKeeperTest, ReadsOnceWithinTheLifetime) {
  SecretKeeper keeper(counting_command(), {}, 12h);
  EXPECT_EQ(keeper.get(stop_)->reveal(), "1");
  EXPECT_EQ(keeper.get(stop_)->reveal(), "1");
}

TEST_F(SecretKeeperTest, ReadsForEachSessionWithoutALifetime) {
  SecretKeeper keeper(counting_command(), {}, 0s);
  EXPECT_EQ(keeper.get(stop_)->reveal(), "1");
  EXPECT_EQ(keeper.get(stop_)->reveal(), "2");
}

TEST_F(SecretKeeperTest, WithoutALifetimeTheSecretGoesWithTheLastLoginThatHoldsIt) {
  SecretKeeper keeper(counting_command(), {}, 0s);
  auto held = keeper.get(stop_);
  const std::weak_ptr<const Secret> seen = held;
  EXPECT_EQ(held->reveal(), "1");
  held.reset();
  EXPECT_TRUE(seen.expired());
  EXPECT_EQ(keeper.fingerprint().size(), 32U) << "what tells it from another stays";
}

TEST_F(SecretKeeperTest, AtTheShortestLifetimeTheSecretStays) {
  SecretKeeper keeper(counting_command(), {}, 1s);
  const std::weak_ptr<const Secret> seen = keeper.get(stop_);
  EXPECT_FALSE(seen.expired());
  keeper.forget();
  EXPECT_TRUE(seen.expired());
}

TEST_F(SecretKeeperTest, WhatALoginHoldsOutlivesForget) {
  SecretKeeper keeper(counting_command(), {}, 12h);
  const auto held = keeper.get(stop_);
  keeper.forget();
  EXPECT_EQ(held->reveal(), "1");
}

TEST_F(SecretKeeperTest, ReadsAgainAfterForget) {
  SecretKeeper keeper(counting_command(), {}, 12h);
  EXPECT_EQ(keeper.get(stop_)->reveal(), "1");
  keeper.forget();
  EXPECT_EQ(keeper.get(stop_)->reveal(), "2");
}

TEST_F(SecretKeeperTest, ReadsAgainWhenTheFileIsNewer) {
  write("old\n", 100s);
  SecretKeeper keeper({.kind = SourceKind::file, .value = path(), .command = {}}, {}, 12h);
  EXPECT_EQ(keeper.get(stop_)->reveal(), "old");
  write("new\n", 50s);
  EXPECT_EQ(keeper.get(stop_)->reveal(), "new");
}

TEST_F(SecretKeeperTest, KeepsTheSecretOfAFileThatIsGoneUntilToldToForget) {
  write("old\n", 100s);
  SecretKeeper keeper({.kind = SourceKind::file, .value = path(), .command = {}}, {}, 12h);
  EXPECT_EQ(keeper.get(stop_)->reveal(), "old");
  fs::remove(path());
  EXPECT_EQ(keeper.get(stop_)->reveal(), "old");
  keeper.forget();
  EXPECT_THROW(keeper.get(stop_), Error);
}

TEST_F(SecretKeeperTest, FingerprintTellsSecretsApartWithoutHoldingThem) {
  write("old-sesame\n", 100s);
  const SecretSpec spec{.kind = SourceKind::file, .value = path(), .command = {}};
  SecretKeeper keeper(spec, {}, 12h);
  EXPECT_EQ(keeper.fingerprint(), "");
  keeper.get(stop_);
  const std::string first = keeper.fingerprint();
  EXPECT_EQ(first.size(), 32U);
  EXPECT_EQ(first.find("sesame"), std::string::npos);
  keeper.forget();
  EXPECT_EQ(keeper.fingerprint(), first);
  keeper.get(stop_);
  EXPECT_EQ(keeper.fingerprint(), first);
  write("new\n", 50s);
  keeper.get(stop_);
  EXPECT_NE(keeper.fingerprint(), first);
}

}  // namespace
}  // namespace popsync::secrets
