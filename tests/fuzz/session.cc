// SPDX-License-Identifier: MIT
// A whole session against a server that may say anything: it ends, the secret leaves only where the gate allows it, and a message counts only when
// its termination octet came and its marker was answered rightly. No refusal alone makes a maildrop empty.
// Input: options of the account, how the server leaves, segment sizes; with a remembered server what it announced, one capability a line, up to an
// octet 0xff; then what the server says, in turns: behind an octet 0xff it waits until it has been sent something.
#include <algorithm>
#include <array>
#include <map>
#include <string>
#include <vector>

#include "base/error.h"
#include "fuzz/harness.h"
#include "fuzz/spoken.h"
#include "net/pop3_client.h"
#include "net/retrieval.h"

namespace popsync::fuzz {
namespace {

constexpr std::string_view kUser = "fuzz-user";
constexpr std::string_view kSecret = "fuzz-secret";
constexpr std::string_view kSecretInPlain = "AGZ1enotdXNlcgBmdXp6LXNlY3JldA==";  // base64 of NUL user NUL secret

constexpr char kTurn = '\xff';
constexpr pop3::MessageNumber kGlanced{2};

enum class Leaving { orderly, silent, reset };

struct Options {
  net::LoginOptions login;
  net::Sending sending = net::Sending::one_at_a_time;  // where commands are not sent ahead
  bool traced = false;
  bool remembered = false;  // what the server announced is known, and the login goes ahead where that allows it
  bool glances = false;     // a glance at the last message goes with it
  Leaving leaving = Leaving::orderly;
};

Options take_options(Input& input) {
  Options options;
  options.login.user = kUser;
  options.login.tls = static_cast<net::TlsMode>(input.below(3));
  options.login.allow_insecure_auth = input.flag();
  options.login.method = static_cast<auth::Method>(input.below(4));
  options.login.pipelining = static_cast<net::Pipelining>(input.below(3));
  options.sending = input.flag() ? net::Sending::apart : net::Sending::one_at_a_time;
  const unsigned ways = input.below(8);
  options.traced = (ways & 1U) != 0;
  options.remembered = (ways & 2U) != 0;
  options.glances = (ways & 4U) != 0;
  options.leaving = static_cast<Leaving>(input.below(3));
  return options;
}

// The end of an escaped octet ("\x7f") and what follows it may read as the secret, which nobody said.
std::string without_escapes(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const bool escape = text.substr(at).starts_with("\\x");
    out += escape ? '?' : text[at];
    if (escape) at += 3;
  }
  return out;
}

class MemoryTransport : public net::Transport {
 public:
  MemoryTransport(const Options& options, std::vector<std::size_t> sizes, Input& server)
      : options_(options), sizes_(std::move(sizes)), secure_(options.login.tls == net::TlsMode::implicit) {
    while (!server.empty()) {
      stream_ += server.until(kTurn);
      turns_.push_back(stream_.size());
    }
    turns_.push_back(stream_.size());
  }

  std::size_t receive(std::span<char> buffer, SteadyTime /*deadline*/) override {
    claim(!ended_, "nothing is read behind the end");
    claim(!buffer.empty(), "there is room to read into");
    std::string_view left = std::string_view(stream_).substr(read_, turns_[turn_] - read_);
    if (left.empty()) return end();
    const std::vector<char> segment = take_segment(left, sizes_, segments_++);
    const std::size_t size = std::min(segment.size(), buffer.size());
    std::copy_n(segment.begin(), size, buffer.begin());
    read_ += size;
    return size;
  }

  void send(std::string_view octets, SteadyTime /*deadline*/) override {
    claim(!octets.empty() && octets.ends_with("\r\n"), "whole commands are sent");
    sent_ += octets;
    if (turn_ + 1 < turns_.size()) ++turn_;
    claim(options_.login.method != auth::Method::apop || octets.find(kSecret) == std::string_view::npos, "APOP sends no secret in clear");
    if (credentials_allowed()) return;
    for (const std::string_view word : {"USER", "PASS", "AUTH", "APOP"}) {
      claim(octets.find(word) == std::string_view::npos, "no credential leaves without the gate's yes");
    }
  }

  bool input_waiting() override { return read_ < turns_[turn_] || (hung_up() && options_.leaving == Leaving::orderly); }

  void start_tls(SteadyTime /*deadline*/) override {
    claim(options_.login.tls == net::TlsMode::starttls && !secure_, "STLS is for accounts that ask for it, once");
    if (read_ < turns_[turn_]) throw Error(ErrorCode::desynchronised, "octets in cleartext behind STLS");
    secure_ = true;
  }
  [[nodiscard]] bool secure() const override { return secure_; }
  [[nodiscard]] std::string description() const override { return "memory"; }

  [[nodiscard]] bool credentials_allowed() const { return secure_ || options_.login.allow_insecure_auth; }
  [[nodiscard]] const std::string& sent() const { return sent_; }
  // The text holds the secret in a form that the server was told. Before that it guesses, and whoever it shows its guess to learns nothing.
  [[nodiscard]] bool repeated_in(std::string_view shown) const {
    const std::string text = without_escapes(shown);
    const auto sent = [&](std::string_view form) { return sent_.find(form) != std::string::npos; };
    const auto shows = [&](std::string_view form) { return text.find(form) != std::string::npos; };
    return (shows(kSecretInPlain) && sent(kSecretInPlain)) || (shows(kSecret) && (sent(kSecret) || sent(kSecretInPlain)));
  }
  [[nodiscard]] std::string_view received() const { return std::string_view(stream_).substr(0, read_); }

 private:
  [[nodiscard]] bool hung_up() const { return read_ == stream_.size(); }

  std::size_t end() {
    ended_ = true;
    if (options_.leaving == Leaving::reset) throw Error(ErrorCode::network, "the connection was reset");
    if (options_.leaving == Leaving::orderly && hung_up()) return 0;
    throw Error(ErrorCode::timeout, "the server is silent");
  }

  const Options& options_;
  std::vector<std::size_t> sizes_;
  bool secure_;
  std::string stream_;              // all that the server says
  std::vector<std::size_t> turns_;  // where it waits
  std::size_t turn_ = 0;
  std::size_t read_ = 0;
  std::size_t segments_ = 0;
  bool ended_ = false;
  std::string sent_;
};

// Notes when each message counted, and that all calls come in their order.
class Witness : public net::RetrievalSink {
 public:
  struct Message {
    enum class Stage { none, begun, complete, proven, refused } stage = Stage::none;
    std::string body;
    std::size_t proven_at = 0;  // octets received by then
  };

  Witness(const MemoryTransport& transport, std::size_t count) : transport_(transport), messages_(count) {}

  void begin(std::size_t index) override { step(index, Message::Stage::none, Message::Stage::begun); }
  void body(std::size_t index, std::string_view octets) override {
    claim(!octets.empty(), "a part of a body has octets");
    step(index, Message::Stage::begun, Message::Stage::begun).body += octets;
  }
  void complete(std::size_t index) override { step(index, Message::Stage::begun, Message::Stage::complete); }
  void proven(std::size_t index) override { step(index, Message::Stage::complete, Message::Stage::proven).proven_at = transport_.received().size(); }
  void refused(std::size_t index, const pop3::StatusLine& line) override {
    claim(!line.ok(), "+OK is no refusal");
    step(index, Message::Stage::none, Message::Stage::refused);
  }

  [[nodiscard]] const std::vector<Message>& messages() const { return messages_; }

 private:
  Message& step(std::size_t index, Message::Stage from, Message::Stage to) {
    claim(index < messages_.size() && messages_[index].stage == from, "begin, body, complete and proven come in this order, once each");
    messages_[index].stage = to;
    return messages_[index];
  }

  const MemoryTransport& transport_;
  std::vector<Message> messages_;
};

struct Course {
  bool listed = false;
  net::MaildropListing listing;
  net::Marker marker = net::Marker::unknown;
  std::size_t sent_before = 0;  // octets, before the first RETR
  std::optional<Witness> witness;
};

bool shows_secret(std::string_view shown) {
  const std::string text = without_escapes(shown);
  return text.find(kSecret) != std::string::npos || text.find(kSecretInPlain) != std::string::npos;
}

net::Opening opening_of(const Options& options, std::string_view remembered) {
  net::Opening opening{.known = {}, .ahead = true, .glance_at = {}};
  if (options.remembered) {
    const pop3::Capabilities known = pop3::Capabilities::from_text(remembered);
    opening.known = net::KnownServer{.before_login = known, .after_login = known};
  }
  if (options.glances) opening.glance_at = kGlanced;
  return opening;
}

void converse(MemoryTransport& transport, const Options& options, const net::Opening& opening, const Clock& clock, Course& course) {
  net::Trace trace;
  if (options.traced) {
    trace = [&transport](std::string_view line) {
      claim(!transport.repeated_in(line) && (line.starts_with("S: ") || !shows_secret(line)), "a trace shows no secret but what a server guessed");
      claim(std::ranges::all_of(line, [](unsigned char c) { return c >= ' ' && c != 0x7f; }), "a line of a trace is one printable line");
    };
  }
  net::Pop3Client client(transport, clock, trace);
  const net::SecretProvider secret = [&] {
    claim(transport.credentials_allowed(), "the secret is not even asked for before the gate");
    return kSecret;
  };
  client.open(options.login, secret, opening);
  if (options.glances) {
    (void)client.glance(kGlanced);
  } else {
    (void)client.stat();
  }
  course.listing = client.listing();
  course.listed = true;
  const auto& entries = course.listing.entries;
  if (!entries.empty()) {
    course.marker = net::learn_marker(client.connection(), entries.front());
    course.sent_before = transport.sent().size();
    course.witness.emplace(transport, entries.size());
    const net::Sending sending = client.pipelining() ? net::Sending::ahead : options.sending;
    net::retrieve(client.connection(), entries, course.marker, sending, *course.witness);
    (void)client.top(entries.front().number, 0);
    std::vector<pop3::MessageNumber> numbers;
    for (const pop3::ListingEntry& entry : entries) numbers.push_back(entry.number);
    claim(client.dele(numbers).size() == numbers.size(), "each DELE has an answer");
  }
  (void)client.quit(true);
}

bool is_right_answer(const Spoken& spoken, net::Marker marker, const pop3::ListingEntry& entry) {
  if (!spoken.status.starts_with("+OK")) return false;
  const std::string_view text = std::string_view(spoken.status).substr(3);
  const std::string number = std::to_string(entry.number.value);
  if (marker == net::Marker::uidl) {
    const auto line = pop3::parse_unique_id_line(text);
    return spoken.command == "UIDL " + number && line && line->number == entry.number && line->uid == entry.uid;
  }
  const auto line = pop3::parse_scan_line(text);
  return spoken.command == "LIST " + number && line && line->number == entry.number && line->size == entry.list_size;
}

void check_messages(const MemoryTransport& transport, const Course& course) {
  const std::vector<Spoken> all = spoken(transport.sent(), transport.received());
  const auto count = std::ranges::count(transport.sent().substr(0, course.sent_before), '\n');
  const auto first = all.begin() + std::min<std::ptrdiff_t>(count, std::ssize(all));
  const auto& entries = course.listing.entries;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const Witness::Message& message = course.witness->messages()[i];
    if (message.stage != Witness::Message::Stage::proven) continue;
    const std::string command = "RETR " + std::to_string(entries[i].number.value);
    const auto retrieved = std::find_if(first, all.end(), [&](const Spoken& each) { return each.command == command; });
    claim(retrieved != all.end() && retrieved->end <= message.proven_at, "a message counts only when its end has come");
    claim(retrieved->body == message.body, "a message is what the server sent");
    if (course.marker == net::Marker::none) continue;
    const bool marked = std::any_of(retrieved, all.end(), [&](const Spoken& each) {
      return each.end <= message.proven_at &&
             std::any_of(entries.begin() + static_cast<std::ptrdiff_t>(i), entries.end(),
                         [&](const pop3::ListingEntry& entry) { return is_right_answer(each, course.marker, entry); });
    });
    claim(marked, "a message counts only when a marker behind it was answered rightly");
  }
}

void check_empty_maildrop(const MemoryTransport& transport) {
  const std::vector<Spoken> all = spoken(transport.sent(), transport.received());
  const bool told = std::ranges::any_of(all, [](const Spoken& each) {
    if (!each.status.starts_with("+OK")) return false;
    if (each.command == "LIST") return true;
    const auto count = std::min(each.status.find_first_not_of(" \t", 3), each.status.size());
    const auto drop = each.command == "STAT" ? pop3::parse_drop_listing(std::string_view(each.status).substr(count)) : std::nullopt;
    return drop && drop->count == 0;
  });
  claim(told, "a maildrop is empty only if it was listed so, or STAT says 0");
}

}  // namespace

void session(std::string_view octets) {
  Input input(octets);
  const Options options = take_options(input);
  std::vector<std::size_t> sizes = take_segment_sizes(input);
  const net::Opening opening = opening_of(options, options.remembered ? input.until(kTurn) : std::string_view());
  MemoryTransport transport(options, std::move(sizes), input);
  const ManualClock clock;
  Course course;
  try {
    converse(transport, options, opening, clock, course);
  } catch (const Error& error) {
    claim(error.code() != ErrorCode::bug, "whatever a server says, it is not our bug");
    claim(!transport.repeated_in(error.what()), "an error shows no secret that a server repeats");
  }
  if (course.witness) check_messages(transport, course);
  if (course.listed && course.listing.entries.empty()) check_empty_maildrop(transport);
}

}  // namespace popsync::fuzz
