// SPDX-License-Identifier: MIT
// The listing of a maildrop: UIDL and LIST line by line into entries.
#include "pop3/listing.h"

#include <benchmark/benchmark.h>

#include <string>
#include <vector>

namespace popsync {
namespace {

void read_listing(benchmark::State& state) {
  std::vector<std::string> uidl;
  std::vector<std::string> list;
  std::size_t octets = 0;
  for (std::int64_t i = 1; i <= state.range(0); ++i) {
    uidl.push_back(std::to_string(i) + " " + std::to_string(1'000'000'000 + i) + "6b069e5e");
    list.push_back(std::to_string(i) + " " + std::to_string(i * 7919 % 1'000'000));
    octets += uidl.back().size() + list.back().size() + 4;
  }
  for (auto _ : state) {
    pop3::ListingBuilder builder;
    for (const std::string& line : uidl) builder.add_unique_id_line(line);
    for (const std::string& line : list) builder.add_scan_line(line);
    benchmark::DoNotOptimize(builder.finish(true));
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(octets) * state.iterations());
  state.SetItemsProcessed(state.range(0) * state.iterations());
}
BENCHMARK(read_listing)->Name("ListingBuilder/messages")->Arg(100)->Arg(10'000)->Arg(100'000)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace popsync
