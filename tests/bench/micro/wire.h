// SPDX-License-Identifier: MIT
// The octets that micro-benchmarks run over: the corpus of the other benchmarks, less of it.
#pragma once

#include <benchmark/benchmark.h>

#include <cstdint>
#include <string>
#include <vector>

#include "support/message_corpus.h"

namespace popsync::micro {

constexpr std::size_t kMessages = 300;

inline std::vector<std::string> messages() { return test::realistic_messages(kMessages); }

inline std::vector<std::string> bodies_on_wire() {
  std::vector<std::string> bodies;
  for (const std::string& message : messages()) bodies.push_back(test::octets_on_wire(message));
  return bodies;
}

inline void count_octets(benchmark::State& state, const std::vector<std::string>& texts) {
  std::int64_t octets = 0;
  for (const std::string& text : texts) octets += static_cast<std::int64_t>(text.size());
  state.SetBytesProcessed(octets * state.iterations());
  state.SetItemsProcessed(static_cast<std::int64_t>(texts.size()) * state.iterations());
}

}  // namespace popsync::micro
