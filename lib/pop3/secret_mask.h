// SPDX-License-Identifier: MIT
// Hides what a session has sent to log in where the server repeats it ("-ERR no user with the password ..."), before that text reaches a trace, a
// log, an error, and with an error the state. Only text to be shown goes through here: what is read (a unique-id, a size, a response code) stays as
// it came, or a password like "1" would change what is fetched.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace popsync::pop3 {

// A shorter secret stands in ordinary words by chance, and the gaps would spell it out for whoever knows what servers say: "wr***ng user or
// passw***rd". Then nothing of the text is shown. It costs a reader the server's words, and only where the password is no good.
constexpr std::size_t kSecretOctetsInTextMin = 4;

class SecretMask {
 public:
  // The octets stay where they are, so that no copy of them lies about: they must outlive the mask. Nothing is done for an empty secret.
  void hide(std::string_view secret);
  [[nodiscard]] bool hides(std::string_view secret) const;

  // Open: more of the text may be under way, so what may be the beginning of a secret at its end is hidden too.
  enum class End { complete, open };
  // `foreign` with "***" for each occurrence of what is hidden; empty if there is none. Case counts.
  [[nodiscard]] std::optional<std::string> masked(std::string_view foreign, End end = End::complete) const;
  // The same, or `foreign` itself. Not escaped yet: an escaped secret would be another text.
  [[nodiscard]] std::string shown(std::string_view foreign, End end = End::complete) const {
    return masked(foreign, end).value_or(std::string(foreign));
  }

 private:
  std::vector<std::string_view> secrets_;
};

}  // namespace popsync::pop3
