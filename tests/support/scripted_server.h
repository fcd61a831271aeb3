// SPDX-License-Identifier: MIT
// Plays dialogues byte for byte on 127.0.0.1 and says where the client left the script. One connection plays one dialogue.
//
//   # comment; empty lines are skipped
//   S: +OK ready          send the line and CRLF. Escapes, here and in C: \xNN \r \n \t \0 \\    (trailing blanks count)
//   S- +OK no line end    send exactly this
//   C: USER alice         expect exactly this line, ended by CRLF
//   C* USER *             expect a line that begins so; `C*` alone: any line
//   tls                   TLS handshake, as the server (first line: implicit TLS)
//   drip 5                from here on one octet at a time, this many milliseconds apart (0: segments of one octet); `drip off` ends it
//   repeat 1000           the next S: or S- line, this many times
//   silence               read and forget what comes, until the client closes
//   close                 FIN (under TLS after close_notify);   drop: FIN without close_notify;   reset: RST
//   connection            the next connection's dialogue begins
//
// At the end of a dialogue the client must close without another word. A client that is gone while we send is at fault only if the script expects
// more from it. After the last dialogue (or the first departure) connections are refused.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "support/certificates.h"

namespace popsync::test {

// How what a dialogue sends is cut into segments; to the client it must make no difference.
enum class Segments {
  joined,  // as few as may be: everything up to the next line that has to be waited for
  lines,   // one for each S: or S-
  octets,  // one for each octet
};

class ScriptedServer {
 public:
  // Throws std::invalid_argument naming the line if the text is not of this form. `certificate` is needed for `tls`.
  explicit ScriptedServer(std::string_view dialogue, const CertificateFiles& certificate = {}, std::uint16_t port = 0,
                          Segments segments = Segments::joined);
  ScriptedServer(const ScriptedServer&) = delete;
  ScriptedServer& operator=(const ScriptedServer&) = delete;
  ~ScriptedServer();

  // The dialogue in a file of tests/dialogs.
  static std::unique_ptr<ScriptedServer> from_file(const std::string& path, const CertificateFiles& certificate = {});

  [[nodiscard]] std::uint16_t port() const;
  // Waits until all dialogues are played. Empty: as written. Else "line 7: expected C: USER alice, got QUIT".
  [[nodiscard]] std::string outcome(std::chrono::milliseconds timeout = std::chrono::seconds(20)) const;
  // All lines (and, at the end, an unfinished one) received so far, over all connections, without CRLF.
  [[nodiscard]] std::vector<std::string> received() const;

 private:
  class Running;
  std::unique_ptr<Running> running_;
};

}  // namespace popsync::test
