// SPDX-License-Identifier: MIT
// Retrieves many messages over one connection, commands sent ahead in a window, and proves for each message that the stream is in step. A server that
// does not byte-stuff ends a message early; with commands sent ahead the rest of it would be read as the next reply. So behind each RETR goes a
// marker, a command whose right answer is known from the listing (UIDL n, else LIST n). A message counts once its marker was answered rightly.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "net/connection.h"
#include "pop3/types.h"

namespace popsync::net {

enum class Marker { unknown, uidl, list, none };

enum class Sending { ahead, one_at_a_time, apart };
enum class Part {
  whole,   // RETR
  header,  // TOP n 0: some servers mark the message as read, some have no TOP (refused)
};

// The window. Octets under way are bounded so that a slow disk cannot make the peer buffer without end, command octets so that they always fit the
// server's receive buffer: nobody reads while we write. With its marker a message takes some 24 octets of commands, so some 600 messages are under
// way: where the round trip is 50 ms, half as many would be all that a fast wire carries. Commands are sent many at once: each write wakes the
// server.
constexpr std::uint64_t kWindowOctetsMax = 16ULL << 20U;
constexpr std::size_t kWindowCommandOctetsMax = 16384;
constexpr std::size_t kWindowRefilledBelow = kWindowCommandOctetsMax * 3 / 4;
// A header has no listed size; this many octets stand for it in the window.
constexpr std::uint64_t kHeaderOctetsGuessed = 8192;
// Without PIPELINING a marker costs a round trip; this many messages may go unproven at most.
constexpr std::size_t kUnprovenMax = 16;

class RetrievalSink {
 public:
  virtual ~RetrievalSink() = default;
  // `index` is the position in the span given to retrieve(). begin, body..., complete, proven come in this order for each message; refused stands
  // instead of them.
  virtual void begin(std::size_t index) = 0;
  virtual void body(std::size_t index, std::string_view octets) = 0;
  virtual void complete(std::size_t index) = 0;
  virtual void proven(std::size_t index) = 0;
  virtual void refused(std::size_t index, const pop3::StatusLine& line) = 0;
};

// Finds which marker the server answers as it should, by asking for one listed message: at most two round trips; learnt once per server.
Marker learn_marker(Connection& connection, const pop3::ListingEntry& entry);

// Returns when every message was proven or refused. `apart`: one command at a time and each message proven before the next, for messages of which one
// is known to break sessions. Throws Error: desynchronised when a marker's answer is wrong, and all that Connection throws;
// what was reported as proven before stays good.
void retrieve(Connection& connection, std::span<const pop3::ListingEntry> entries, Marker marker, Sending sending, RetrievalSink& sink,
              Part part = Part::whole);

}  // namespace popsync::net
