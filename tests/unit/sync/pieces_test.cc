// SPDX-License-Identifier: MIT
#include "sync/pieces.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "unit/config/temp_folder.h"

namespace popsync::sync {
namespace {

constexpr const char* kAccount = "0123456789abcdef";

struct PiecesTest : testing::Test {
  void SetUp() override {
    state::AccountRow account;
    account.id = kAccount;
    account.name = "home";
    auto transaction = store->begin();
    transaction.insert_account(account);
    transaction.commit();
  }
  void change(Pieces& pieces, std::size_t count) const {
    for (std::size_t i = 0; i < count; ++i) {
      pieces.next().insert_known(
          {.account = kAccount, .state = state::RowState::held, .uid = {"u"}, .list_size = 1, .reason = "", .tries = 0, .at = {}});
    }
  }
  [[nodiscard]] std::uint64_t rows() const { return store->held_count(kAccount); }

  config::TempFolder folder;
  std::unique_ptr<state::StateStore> store = state::StateStore::open(folder.path() + "/state");
  std::size_t looks = 0;
};

TEST_F(PiecesTest, AreCommittedWhenFullAndAtTheEndEachBehindALook) {
  Pieces pieces(*store, [this] { ++looks; });
  change(pieces, kChangesOfAPieceMax);
  EXPECT_EQ(looks, 1U);
  change(pieces, 1);
  EXPECT_EQ(looks, 2U);
  pieces.commit();
  EXPECT_EQ(rows(), kChangesOfAPieceMax + 1);
}

TEST_F(PiecesTest, WithoutAChangeNothingIsWrittenAndNobodyLooks) {
  Pieces pieces(*store, [this] { ++looks; });
  pieces.commit();
  EXPECT_EQ(looks, 0U);
}

TEST_F(PiecesTest, ThatAreCommittedStayWhenThereIsNoRoomForTheNext) {
  Pieces pieces(*store, [this] {
    if (++looks == 3) throw Error(ErrorCode::disk_full, "full");
  });
  EXPECT_THROW(change(pieces, 3 * kChangesOfAPieceMax), Error);
  EXPECT_EQ(rows(), 2 * kChangesOfAPieceMax);
}

TEST_F(PiecesTest, WhatWasNotCommittedIsNotDone) {
  {
    Pieces pieces(*store, [] {});
    change(pieces, kChangesOfAPieceMax + 5);
  }
  EXPECT_EQ(rows(), kChangesOfAPieceMax);
}

}  // namespace
}  // namespace popsync::sync
