// SPDX-License-Identifier: MIT
#include "sync/row_names.h"

#include <gtest/gtest.h>

#include <vector>

namespace popsync::sync {
namespace {

state::MessageRow row(state::RowId id, std::string uid, std::optional<std::uint64_t> size, state::RowState state) {
  state::MessageRow out;
  out.id = id;
  out.uid = {std::move(uid)};
  out.list_size = size;
  out.state = state;
  return out;
}

std::string name_of(const RowNames& names, const state::MessageRow& row) { return names.of(row.id, row.uid, row.list_size); }

constexpr auto kHeld = state::RowState::held;
constexpr auto kSkipped = state::RowState::skipped;
constexpr auto kPublished = state::RowState::published;

TEST(RowNames, CountEqualUniqueIds) {
  const std::vector rows = {row(1, "a", 5, kPublished), row(2, "b", 5, kHeld), row(3, "a", 6, kHeld)};
  const RowNames names(rows);
  EXPECT_EQ(name_of(names, rows[0]), "a");
  EXPECT_EQ(name_of(names, rows[1]), "b");
  EXPECT_EQ(name_of(names, rows[2]), "a#2");
}

TEST(RowNames, WithoutUniqueIdCountWhatIsSetAsideWithOneSize) {
  const std::vector rows = {row(1, "", 5, kPublished), row(2, "", 5, kHeld), row(3, "", 6, kHeld), row(4, "", 5, kSkipped), row(5, "", {}, kHeld)};
  const RowNames names(rows);
  EXPECT_EQ(name_of(names, rows[1]), "size:5#1");
  EXPECT_EQ(name_of(names, rows[2]), "size:6#1");
  EXPECT_EQ(name_of(names, rows[3]), "size:5#2");
  EXPECT_EQ(name_of(names, rows[4]), "");
}

TEST(RowNames, MeanTheRowThatIsCalledSo) {
  const std::vector rows = {row(1, "", 5, kPublished), row(2, "", 5, kHeld), row(3, "", 5, kHeld), row(4, "size:5", 7, kHeld), row(5, "", {}, kHeld)};
  const RowNames names(rows);
  const auto meant = [&](std::string_view text) {
    std::vector<state::RowId> ids;
    const auto name = parse_message_name(text);
    for (const state::MessageRow& each : rows) {
      if (name && names.means(*name, each)) ids.push_back(each.id);
    }
    return ids;
  };
  EXPECT_EQ(meant("size:5#1"), std::vector<state::RowId>{2});
  EXPECT_EQ(meant("size:5#2"), std::vector<state::RowId>{3});
  EXPECT_EQ(meant("size:5"), (std::vector<state::RowId>{2, 4}));  // a unique-id may look so
  EXPECT_EQ(meant("size:6#1"), std::vector<state::RowId>{});
  for (const char* wrong : {"size:5#0", "size:5#", "size:5#x", "size:#1", "#1", "size:99999999999999999999#1", ""}) {
    EXPECT_FALSE(parse_message_name(wrong)) << wrong;
  }
}

}  // namespace
}  // namespace popsync::sync
