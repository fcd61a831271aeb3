// SPDX-License-Identifier: MIT
// The comparison of a listing with the rows: nothing new among so many messages, and a first sync of so many.
#include "sync/fetch_plan.h"

#include <benchmark/benchmark.h>

#include <string>
#include <vector>

namespace popsync {
namespace {

std::vector<pop3::ListingEntry> listing_of(std::int64_t count) {
  std::vector<pop3::ListingEntry> listing;
  for (std::int64_t i = 1; i <= count; ++i) {
    listing.push_back({.number = pop3::MessageNumber{static_cast<std::uint32_t>(i)},
                       .uid = {std::to_string(1'000'000'000 + i) + "6b069e5e"},
                       .list_size = static_cast<std::uint64_t>(i * 7919 % 1'000'000)});
  }
  return listing;
}

std::vector<state::MessageRow> rows_of(const std::vector<pop3::ListingEntry>& listing) {
  std::vector<state::MessageRow> rows;
  for (const pop3::ListingEntry& entry : listing) {
    state::MessageRow row;
    row.id = static_cast<state::RowId>(rows.size() + 1);
    row.uid = entry.uid;
    row.list_size = entry.list_size;
    row.removable = true;
    rows.push_back(row);
  }
  return rows;
}

sync::PlanPolicy keep() {
  sync::PlanPolicy policy;
  policy.max_message_size = 512U << 20U;
  return policy;
}

void plan(benchmark::State& state, bool known) {
  const std::vector<pop3::ListingEntry> listing = listing_of(state.range(0));
  const std::vector<state::MessageRow> rows = known ? rows_of(listing) : std::vector<state::MessageRow>();
  for (auto _ : state) benchmark::DoNotOptimize(sync::plan_fetch(listing, rows, keep()));
  state.SetItemsProcessed(state.range(0) * state.iterations());
}
BENCHMARK_CAPTURE(plan, "nothing new", true)->Name("plan_fetch/nothing new, messages")->Arg(1000)->Arg(100'000)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(plan, "all new", false)->Name("plan_fetch/all new, messages")->Arg(1000)->Arg(100'000)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace popsync
