// SPDX-License-Identifier: MIT
// What a body costs on its way from the socket to the disk, without socket and disk: finding its end, the line ends, the digests.
#include "pop3/reply_decoder.h"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <string>

#include "delivery/line_ending.h"
#include "delivery/message_prints.h"
#include "micro/wire.h"

namespace popsync {
namespace {

void decode_bodies(benchmark::State& state) {
  const std::vector<std::string> bodies = micro::bodies_on_wire();
  const auto piece = static_cast<std::size_t>(state.range(0));
  for (auto _ : state) {
    pop3::ReplyDecoder decoder;
    for (const std::string& body : bodies) {
      decoder.start_body();
      bool complete = false;
      for (std::size_t from = 0; !complete; from += piece) {
        std::string_view input = std::string_view(body).substr(from, piece);
        while (!input.empty()) {
          const auto part = decoder.take_body(input);
          complete = part.complete;
          benchmark::DoNotOptimize(part.octets.data());
        }
      }
    }
  }
  micro::count_octets(state, bodies);
}
BENCHMARK(decode_bodies)->Name("ReplyDecoder/bodies, octets a read")->Arg(1500)->Arg(16 << 10)->Arg(256 << 10);

void convert_line_ends(benchmark::State& state) {
  const std::vector<std::string> messages = micro::messages();
  std::string out;
  for (auto _ : state) {
    for (const std::string& message : messages) {
      out.clear();
      delivery::CrlfToLf line_endings;
      line_endings.convert(message, out);
      line_endings.finish(out);
      benchmark::DoNotOptimize(out.data());
    }
  }
  micro::count_octets(state, messages);
}
BENCHMARK(convert_line_ends)->Name("CrlfToLf");

void print_messages(benchmark::State& state) {
  std::vector<std::string> messages = micro::messages();
  for (std::string& message : messages) std::erase(message, '\r');
  for (auto _ : state) {
    for (const std::string& message : messages) benchmark::DoNotOptimize(delivery::prints_of(message));
  }
  micro::count_octets(state, messages);
}
BENCHMARK(print_messages)->Name("MessagePrinter (SHA-256)");

}  // namespace
}  // namespace popsync
