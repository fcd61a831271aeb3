// SPDX-License-Identifier: MIT
// wire_limit PORT USER PASSWORD [--from N] [--one-at-a-time]: the wire limit. Logs in to 127.0.0.1, sends RETR for every message (from number N on)
// at once, reads to the end, throws the octets away, and awaits the answer to QUIT. No client can be faster than what the server takes to send.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <iostream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

class Wire {
 public:
  explicit Wire(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)), buffer_(256U * 1024U) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int on = 1;
    if (::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) throw std::runtime_error("cannot connect");
    ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    ::fcntl(fd_, F_SETFL, O_NONBLOCK);
  }
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;
  ~Wire() { ::close(fd_); }

  std::string ask(const std::string& command) {
    std::string_view rest = command;
    std::string answer;
    while (!answer.ends_with("\r\n")) answer += exchange(rest);
    if (!answer.starts_with("+OK")) throw std::runtime_error("refused: " + answer);
    return answer;
  }

  // Reads on while it sends, or both ends would wait for each other. Returns the octets read.
  std::uint64_t retrieve(const std::string& commands, std::uint64_t messages) {
    constexpr std::string_view kEnd = "\r\n.\r\n";
    std::string_view rest = commands;
    std::string seam;  // the last octets of what came before
    std::uint64_t octets = 0;
    while (messages > 0) {
      const std::string_view got = exchange(rest);
      octets += got.size();
      messages -= ends_in(seam + std::string(got.substr(0, kEnd.size() - 1)), kEnd) + ends_in(got, kEnd);
      seam = seam.append(got.substr(got.size() - std::min(got.size(), kEnd.size() - 1)));
      seam.erase(0, seam.size() - std::min(seam.size(), kEnd.size() - 1));
    }
    return octets;
  }

 private:
  // Sends what the socket takes and returns what has come, waiting for it.
  std::string_view exchange(std::string_view& unsent) {
    while (true) {
      pollfd ready = {.fd = fd_, .events = static_cast<short>(unsent.empty() ? POLLIN : POLLIN | POLLOUT), .revents = 0};
      if (::poll(&ready, 1, 60'000) <= 0) throw std::runtime_error("the server is silent");
      if ((ready.revents & POLLOUT) != 0) {
        const ssize_t sent = ::send(fd_, unsent.data(), unsent.size(), MSG_NOSIGNAL);
        if (sent > 0) unsent.remove_prefix(static_cast<std::size_t>(sent));
      }
      if ((ready.revents & ~POLLOUT) == 0) continue;
      const ssize_t got = ::recv(fd_, buffer_.data(), buffer_.size(), 0);
      if (got <= 0) throw std::runtime_error("the server ended the connection");
      return {buffer_.data(), static_cast<std::size_t>(got)};
    }
  }

  static std::uint64_t ends_in(std::string_view octets, std::string_view end) {
    std::uint64_t count = 0;
    const char* const last = octets.data() + octets.size();
    for (const char* at = octets.data();; ++count) {
      const void* found = ::memmem(at, static_cast<std::size_t>(last - at), end.data(), end.size());
      if (found == nullptr) return count;
      at = static_cast<const char*>(found) + end.size();
    }
  }

  int fd_;
  std::vector<char> buffer_;
};

std::uint64_t run(std::uint16_t port, const std::string& user, const std::string& password, std::uint64_t from, bool one_at_a_time) {
  Wire wire(port);
  wire.ask("");
  wire.ask("USER " + user + "\r\n");
  wire.ask("PASS " + password + "\r\n");
  const std::uint64_t last = std::stoull(wire.ask("STAT\r\n").substr(4));
  std::string commands;
  std::uint64_t octets = 0;
  for (std::uint64_t number = from; number <= last; ++number) {
    commands += "RETR " + std::to_string(number) + "\r\n";
    if (one_at_a_time) octets += wire.retrieve(std::exchange(commands, {}), 1);
  }
  if (!one_at_a_time) octets = wire.retrieve(commands, last - from + 1);
  wire.ask("QUIT\r\n");
  return octets;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) return 64;
  std::uint64_t from = 1;
  bool one_at_a_time = false;
  for (int i = 4; i < argc; ++i) {
    if (std::string_view(argv[i]) == "--one-at-a-time") one_at_a_time = true;
    if (std::string_view(argv[i]) == "--from" && i + 1 < argc) from = std::stoull(argv[++i]);
  }
  try {
    std::cout << run(static_cast<std::uint16_t>(std::stoul(argv[1])), argv[2], argv[3], from, one_at_a_time) << " octets\n";
  } catch (const std::exception& error) {
    std::cerr << "wire_limit: " << error.what() << '\n';
    return 1;
  }
  return 0;
}
