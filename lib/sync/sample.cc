// SPDX-License-Identifier: MIT
#include "sync/sample.h"

#include <algorithm>
#include <cstdint>
#include <tuple>

namespace popsync::sync {
namespace {

using state::Doubt;

bool by_outage(const Confirmation& each) { return each.doubt != Doubt::none && each.doubt != Doubt::own; }

// Spreads the numbers of rows without any order that a mailbox could have: Knuth's multiplicative hash.
std::uint64_t scattered(state::RowId row) { return static_cast<std::uint64_t>(row) * 0x9E3779B97F4A7C15ULL; }

// The oldest, the newest, and of the others as many as are wanted become the sample; the rest is vouched for.
void draw(std::vector<Confirmation*> members, FetchPlan& plan) {
  std::ranges::sort(members, {}, [](const Confirmation* each) { return std::tuple(each->stored_at, each->fetch.tried_row); });
  std::ranges::sort(members.begin() + kSampleEnds, members.end() - kSampleEnds, {},
                    [](const Confirmation* each) { return scattered(each->fetch.tried_row); });
  std::rotate(members.begin() + kSampleEnds, members.end() - kSampleEnds, members.end());
  for (std::size_t i = 0; i < members.size(); ++i) {
    const Doubt doubt = i < kSampleMax ? Doubt::sample : Doubt::vouched;
    if (members[i]->doubt != doubt) plan.doubts.emplace_back(members[i]->fetch.tried_row, doubt);
    members[i]->doubt = doubt;
  }
}

}  // namespace

void take_sample(FetchPlan& plan) {
  std::vector<Confirmation*> members;
  bool drawn = false;
  for (Confirmation& each : plan.confirm) {
    if (by_outage(each)) members.push_back(&each);
    drawn = drawn || each.doubt == Doubt::sample;
  }
  if (!drawn && members.size() <= kSampleMax) return;
  if (!drawn) draw(std::move(members), plan);
  for (Confirmation& each : plan.confirm) {
    if (each.doubt == Doubt::vouched) plan.vouched.push_back(each.fetch.tried_row);
    if (each.doubt == Doubt::outage) ++plan.put_off;
    // Their own confirmation, if a deletion is due, waits for nobody.
    if (each.doubt == Doubt::vouched || each.doubt == Doubt::outage) each.doubt = Doubt::none;
  }
  std::erase_if(plan.confirm, [](const Confirmation& each) { return each.doubt == Doubt::none && !each.fetch.remove_if_equal; });
}

void put_in_order(std::vector<Confirmation>& confirm) {
  std::ranges::sort(confirm, {},
                    [](const Confirmation& each) { return std::tuple(each.doubt == Doubt::none, each.stored_at, each.fetch.tried_row); });
}

}  // namespace popsync::sync
