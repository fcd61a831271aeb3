// SPDX-License-Identifier: MIT
#include "net/retrieval.h"

#include "base/error.h"
#include "base/escape.h"
#include "pop3/listing.h"

namespace popsync::net {
namespace {

using pop3::ListingEntry;
using pop3::StatusLine;
using pop3::Verb;

Verb verb_of(Marker marker) { return marker == Marker::uidl ? Verb::uidl_one : Verb::list_one; }

bool answers(Marker marker, const StatusLine& line, const ListingEntry& entry) {
  if (!line.ok()) return false;
  if (marker == Marker::uidl) {
    const auto parsed = pop3::parse_unique_id_line(line.text);
    return parsed && parsed->number == entry.number && parsed->uid == entry.uid;
  }
  const auto parsed = pop3::parse_scan_line(line.text);
  return parsed && parsed->number == entry.number && parsed->size == entry.list_size;
}

pop3::Command command_for(Part part, const ListingEntry& entry) {
  if (part == Part::whole) return {.verb = Verb::retr, .argument = {}, .number = entry.number};
  return {.verb = Verb::top, .argument = "0", .number = entry.number};
}

// Follows the replies to RETRs (or TOPs) and markers. Both kinds come in the order of the entries, so two positions say all.
class Follower : public pop3::ReplySink {
 public:
  Follower(const Connection& connection, std::span<const ListingEntry> entries, Marker marker, RetrievalSink& sink)
      : connection_(connection), entries_(entries), marker_(marker), sink_(sink) {}

  void status(Verb verb, pop3::MessageNumber number, const StatusLine& line) override {
    if (!of_content(verb)) {
      check_marker(number, line);
      return;
    }
    POPSYNC_ASSERT(number == entries_[answered_].number);
    refused_ = !line.ok();
    if (refused_) {
      sink_.refused(answered_, line);
    } else {
      sink_.begin(answered_);
    }
  }
  void line(Verb /*verb*/, std::string_view /*text*/) override {}
  void body(pop3::MessageNumber /*number*/, std::string_view octets) override { sink_.body(answered_, octets); }
  void end(Verb verb, pop3::MessageNumber /*number*/) override {
    if (!of_content(verb)) return;
    if (!refused_) {
      sink_.complete(answered_);
      unproven_.push_back(answered_);
    }
    ++answered_;
  }

  // The stream is in step up to here.
  void prove() {
    for (const std::size_t index : unproven_) sink_.proven(index);
    unproven_.clear();
  }

  [[nodiscard]] std::size_t answered() const { return answered_; }
  [[nodiscard]] std::size_t unproven() const { return unproven_.size(); }
  [[nodiscard]] bool refused_last() const { return refused_; }

 private:
  static bool of_content(Verb verb) { return verb == Verb::retr || verb == Verb::top; }

  void check_marker(pop3::MessageNumber number, const StatusLine& line) {
    const ListingEntry& entry = entries_[answered_ - 1];
    POPSYNC_ASSERT(number == entry.number);
    if (!answers(marker_, line, entry)) {
      const pop3::UniqueId uid{connection_.shown(entry.uid.octets)};
      throw Error(ErrorCode::desynchronised, "the server's answers are out of step behind message " + std::to_string(number.value) + " (" +
                                                 pop3::to_text(uid) + "): " + escaped(line.shown(), 80));
    }
    prove();
  }

  const Connection& connection_;
  std::span<const ListingEntry> entries_;
  Marker marker_;
  RetrievalSink& sink_;
  std::size_t answered_ = 0;
  bool refused_ = false;
  std::vector<std::size_t> unproven_;
};

std::uint64_t expected_octets(const ListingEntry& entry, Part part) {
  return part == Part::header ? kHeaderOctetsGuessed : entry.list_size.value_or(0);
}

void retrieve_in_window(Connection& connection, std::span<const ListingEntry> entries, Marker marker, Part part, Follower& follower) {
  std::size_t sent = 0;
  std::uint64_t under_way = 0;
  std::size_t counted_off = 0;
  while (connection.session().outstanding() > 0 || sent < entries.size()) {
    for (; counted_off < follower.answered(); ++counted_off) under_way -= expected_octets(entries[counted_off], part);
    const bool refill = connection.session().command_octets_outstanding() < kWindowRefilledBelow;
    while (refill && sent < entries.size() && connection.session().command_octets_outstanding() < kWindowCommandOctetsMax &&
           (under_way == 0 || under_way + expected_octets(entries[sent], part) <= kWindowOctetsMax)) {
      connection.submit(command_for(part, entries[sent]));
      connection.submit({.verb = verb_of(marker), .argument = {}, .number = entries[sent].number});
      under_way += expected_octets(entries[sent], part);
      ++sent;
    }
    connection.flush();
    connection.receive(follower);
  }
}

void ask_marker(Connection& connection, Marker marker, const ListingEntry& entry, Follower& follower) {
  try {
    connection.submit({.verb = verb_of(marker), .argument = {}, .number = entry.number});
    connection.flush();
    connection.receive_all(follower);
  } catch (const Error& error) {
    // A server with a limit of messages refuses the next one and hangs up. Its refusal stood where a reply was due, so the stream was in step;
    // without that word such a server would give the same messages in every session and none would ever be proven.
    if (error.code() == ErrorCode::network && follower.refused_last()) follower.prove();
    throw;
  }
}

void retrieve_one_at_a_time(Connection& connection, std::span<const ListingEntry> entries, Marker marker, Part part, std::size_t unproven_max,
                            Follower& follower) {
  for (std::size_t i = 0; i < entries.size(); ++i) {
    connection.expect_silence();
    connection.submit(command_for(part, entries[i]));
    connection.flush();
    connection.receive_all(follower);
    const bool last = i + 1 == entries.size();
    if (marker == Marker::none) {
      connection.expect_silence();
      follower.prove();
    } else if (follower.unproven() > 0 && (last || follower.refused_last() || follower.unproven() >= unproven_max)) {
      ask_marker(connection, marker, entries[i], follower);
    }
  }
}

}  // namespace

Marker learn_marker(Connection& connection, const ListingEntry& entry) {
  for (const Marker marker : {Marker::uidl, Marker::list}) {
    if (marker == Marker::uidl && entry.uid.octets.empty()) continue;
    const Reply reply = connection.request({.verb = verb_of(marker), .argument = {}, .number = entry.number});
    if (answers(marker, reply.status, entry)) return marker;
  }
  return Marker::none;
}

void retrieve(Connection& connection, std::span<const ListingEntry> entries, Marker marker, Sending sending, RetrievalSink& sink, Part part) {
  POPSYNC_ASSERT(marker != Marker::unknown);
  std::uint64_t total = 0;
  for (const ListingEntry& entry : entries) total += expected_octets(entry, part);
  connection.allow_octets(total);
  Follower follower(connection, entries, marker, sink);
  if (sending == Sending::ahead && marker != Marker::none) {
    retrieve_in_window(connection, entries, marker, part, follower);
  } else {
    retrieve_one_at_a_time(connection, entries, marker, part, sending == Sending::apart ? 1 : kUnprovenMax, follower);
  }
}

}  // namespace popsync::net
