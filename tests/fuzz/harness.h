// SPDX-License-Identifier: MIT
// The fuzzers. A harness is a function that takes any octets, does with them what the product does with those of a server, a user or a crashed disk,
// and claims what must hold whatever they are. libFuzzer drives it (`./dev fuzz`), and a test drives it over the corpus and what is near it, so that
// a tree without clang is tested too.
#pragma once

#include <array>
#include <functional>
#include <string_view>
#include <vector>

namespace popsync::fuzz {

void reply_decoder(std::string_view octets);
void listing(std::string_view octets);
void session(std::string_view octets);
void config_loader(std::string_view octets);
void mbox_format(std::string_view octets);
void recovery(std::string_view octets);
void mbox_recovery(std::string_view octets);

struct Harness {
  std::string_view name;  // also that of its folder in corpus/
  void (*run)(std::string_view octets);
  std::size_t mutations = 400;  // what the test tries: a second's worth
};
inline constexpr std::array kHarnesses = {
    Harness{.name = "reply_decoder", .run = reply_decoder},
    Harness{.name = "listing", .run = listing},
    Harness{.name = "session", .run = session},
    Harness{.name = "config_loader", .run = config_loader},
    Harness{.name = "mbox_format", .run = mbox_format},
    Harness{.name = "recovery", .run = recovery, .mutations = 40},
    Harness{.name = "mbox_recovery", .run = mbox_recovery, .mutations = 40},
};

// Ends the process (abort) if a claim does not hold. Not an exception: what is under test may catch it.
void claim(bool holds, std::string_view what);

// Takes the input apart from its front. Behind its end everything is 0 or empty, so a harness needs no case for short inputs.
class Input {
 public:
  explicit Input(std::string_view octets) : left_(octets) {}

  unsigned octet();
  // 0 to count - 1.
  unsigned below(unsigned count) { return octet() % count; }
  bool flag() { return below(2) == 1; }
  std::string_view take(std::size_t count);
  // Up to the separator, which is dropped.
  std::string_view until(char separator);
  std::string_view rest() { return take(left_.size()); }
  [[nodiscard]] bool empty() const { return left_.empty(); }

 private:
  std::string_view left_;
};

// The sizes of the segments in which a stream comes: a digit says how many follow, then an octet for each (a is 1, b is 2 ...). None: all at once.
std::vector<std::size_t> take_segment_sizes(Input& input);
// The next segment in a buffer of its own, exactly as large as it is, so that reading beyond it is noticed. `sizes` come in turn, over and over.
std::vector<char> take_segment(std::string_view& stream, const std::vector<std::size_t>& sizes, std::size_t turn);
// The whole stream, segment by segment.
void for_each_segment(std::string_view stream, const std::vector<std::size_t>& sizes, const std::function<void(std::string_view)>& use);

}  // namespace popsync::fuzz
