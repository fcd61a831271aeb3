// SPDX-License-Identifier: MIT
// relay PORT MILLISECONDS: connections to the port it names (PORT=..., READY) go to PORT of 127.0.0.1, and every octet, and every end of a
// connection, is held for so long in each direction. Throughput is not limited: what is held is only bounded by kHeldOctetsMax. Connecting itself
// takes no time. For each line on standard input it waits until no connection is open and answers with what has passed since the last one
// ("CONNECTIONS=1 UP=120 DOWN=3456"); it ends with standard input.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <deque>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "base/unique_fd.h"

namespace {

using Time = std::chrono::steady_clock::time_point;
using popsync::UniqueFd;

constexpr std::size_t kReadOctets = 256U * 1024U;
constexpr std::uint64_t kHeldOctetsMax = 64U << 20U;  // a second's worth of gigabit in 50 ms would be an eighth of it

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

// One direction of a connection.
class Lane {
 public:
  Lane(int from, int to, std::chrono::nanoseconds delay, std::uint64_t& counter) : from_(from), to_(to), delay_(delay), counter_(counter) {}

  [[nodiscard]] bool over() const { return ended_ && held_.empty(); }
  [[nodiscard]] pollfd input() const { return {.fd = !ended_ && held_octets_ < kHeldOctetsMax ? from_ : -1, .events = POLLIN, .revents = 0}; }
  [[nodiscard]] pollfd output() const { return {.fd = blocked_ ? to_ : -1, .events = POLLOUT, .revents = 0}; }
  // When it has something to do though no socket is ready.
  [[nodiscard]] Time due() const { return held_.empty() || blocked_ ? Time::max() : held_.front().due; }

  void take(Time now, std::vector<char>& buffer) {
    const ssize_t got = ::recv(from_, buffer.data(), buffer.size(), 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) ended_ = true;
    const std::size_t size = got > 0 ? static_cast<std::size_t>(got) : 0;
    counter_ += size;
    held_octets_ += size;
    held_.push_back({.due = now + delay_, .octets = std::string(buffer.data(), size)});
  }

  void give(Time now) {
    blocked_ = false;
    while (!held_.empty() && held_.front().due <= now && !blocked_) give_first();
  }

 private:
  struct Held {
    Time due;
    std::string octets;  // none: the end
    std::size_t given = 0;
  };

  void give_first() {
    Held& first = held_.front();
    const std::size_t left = first.octets.size() - first.given;
    if (left == 0) {
      ::shutdown(to_, SHUT_WR);
    } else if (!broken_) {
      const ssize_t sent = ::send(to_, first.octets.data() + first.given, left, MSG_NOSIGNAL);
      blocked_ = sent < 0 && errno == EAGAIN;
      // The other end went away: this direction is read to its end all the same, and the other one still delivers (a QUIT may be on its way).
      broken_ = sent < 0 && errno != EAGAIN && errno != EINTR;
      if (sent > 0) first.given += static_cast<std::size_t>(sent);
      if (sent > 0) held_octets_ -= static_cast<std::size_t>(sent);
      if (!broken_ && first.given < first.octets.size()) return;
    }
    if (broken_) held_octets_ -= first.octets.size() - first.given;
    held_.pop_front();
  }

  int from_;
  int to_;
  std::chrono::nanoseconds delay_;
  std::uint64_t& counter_;
  std::deque<Held> held_;
  std::uint64_t held_octets_ = 0;
  bool ended_ = false;
  bool blocked_ = false;
  bool broken_ = false;
};

struct Passed {
  std::uint64_t connections = 0;
  std::uint64_t up = 0;
  std::uint64_t down = 0;
};

struct Pair {
  Pair(UniqueFd client_fd, UniqueFd server_fd, std::chrono::nanoseconds delay, Passed& passed)
      : client(std::move(client_fd)),
        server(std::move(server_fd)),
        lanes{Lane(client.get(), server.get(), delay, passed.up), Lane(server.get(), client.get(), delay, passed.down)} {}
  UniqueFd client;
  UniqueFd server;
  std::array<Lane, 2> lanes;
};

class Relay {
 public:
  Relay(std::uint16_t target, std::chrono::nanoseconds delay) : target_(target), delay_(delay), buffer_(kReadOctets) {
    listener_.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    if (::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0 || ::listen(listener_.get(), 1024) != 0 ||
        ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
      throw std::runtime_error("cannot listen");
    }
    std::cout << "PORT=" << ntohs(address.sin_port) << "\nREADY" << std::endl;
  }

  void run() {
    while (true) {
      std::vector<pollfd> waiting = {{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0}, {.fd = listener_.get(), .events = POLLIN, .revents = 0}};
      Time due = Time::max();
      for (const auto& pair : pairs_) {
        for (const Lane& lane : pair->lanes) {
          waiting.push_back(lane.input());
          waiting.push_back(lane.output());
          due = std::min(due, lane.due());
        }
      }
      wait(waiting, due);
      if (waiting[0].revents != 0 && !read_question()) return;
      move(waiting);
      if (waiting[1].revents != 0) accept();
      std::erase_if(pairs_, [](const auto& pair) { return pair->lanes[0].over() && pair->lanes[1].over(); });
      if (asked_ && pairs_.empty()) answer();
    }
  }

 private:
  static void wait(std::vector<pollfd>& waiting, Time due) {
    const auto left = std::max<std::chrono::nanoseconds>(due - std::chrono::steady_clock::now(), std::chrono::nanoseconds(0)).count();
    const timespec timeout{.tv_sec = left / 1'000'000'000, .tv_nsec = left % 1'000'000'000};
    if (::ppoll(waiting.data(), waiting.size(), due == Time::max() ? nullptr : &timeout, nullptr) < 0) {
      for (pollfd& each : waiting) each.revents = 0;
    }
  }

  void move(const std::vector<pollfd>& waiting) {
    const Time now = std::chrono::steady_clock::now();
    std::size_t at = 2;
    for (const auto& pair : pairs_) {
      for (Lane& lane : pair->lanes) {
        if (waiting[at].revents != 0) lane.take(now, buffer_);
        lane.give(now);
        at += 2;
      }
    }
  }

  void accept() {
    UniqueFd client(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!client.valid()) return;
    UniqueFd server(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const sockaddr_in address = loopback(target_);
    if (::connect(server.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return;
    for (const int fd : {client.get(), server.get()}) {
      const int on = 1;
      ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      ::fcntl(fd, F_SETFL, O_NONBLOCK);
    }
    ++passed_.connections;
    pairs_.push_back(std::make_unique<Pair>(std::move(client), std::move(server), delay_, passed_));
  }

  // False at the end of standard input.
  bool read_question() {
    std::array<char, 64> ignored{};
    asked_ = true;
    return ::read(STDIN_FILENO, ignored.data(), ignored.size()) > 0;
  }

  void answer() {
    std::cout << "CONNECTIONS=" << passed_.connections << " UP=" << passed_.up << " DOWN=" << passed_.down << std::endl;
    passed_ = {};
    asked_ = false;
  }

  std::uint16_t target_;
  std::chrono::nanoseconds delay_;
  std::vector<char> buffer_;
  UniqueFd listener_;
  Passed passed_;
  std::vector<std::unique_ptr<Pair>> pairs_;
  bool asked_ = false;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 64;
  try {
    const std::chrono::duration<double, std::milli> delay(std::strtod(argv[2], nullptr));
    Relay(static_cast<std::uint16_t>(std::stoul(argv[1])), std::chrono::duration_cast<std::chrono::nanoseconds>(delay)).run();
  } catch (const std::exception& error) {
    std::cerr << "relay: " << error.what() << '\n';
    return 1;
  }
  return 0;
}
