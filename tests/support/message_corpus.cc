// SPDX-License-Identifier: MIT
#include "support/message_corpus.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <random>

namespace popsync::test {

namespace {

constexpr double kMedianOctets = 9000;
constexpr double kSigma = 1.3;  // of the size's logarithm: one message in twenty is over 75 kB
constexpr std::size_t kOctetsMax = 8'000'000;

// std::mt19937_64 gives the same numbers everywhere; the library's distributions do not, so they are made here.
class Dice {
 public:
  explicit Dice(std::uint64_t seed) : engine_(seed) {}
  std::size_t below(std::size_t end) { return static_cast<std::size_t>(engine_() % end); }
  bool one_in(std::size_t n) { return below(n) == 0; }
  double fraction() { return static_cast<double>(engine_() >> 11) * 0x1p-53; }
  double normal() { return std::sqrt(-2 * std::log(1 - fraction())) * std::cos(2 * std::numbers::pi * fraction()); }
  template <typename Array>
  const auto& pick(const Array& array) {
    return array[below(std::size(array))];
  }

 private:
  std::mt19937_64 engine_;
};

constexpr std::array kPeople = {
    "Ada Lovelace <ada@example.org>",         "\"Hopper, Grace\" <grace@example.com>",    "build@ci.example.net",
    "=?UTF-8?Q?J=C3=BCrgen?= <j@example.de>", "=?UTF-8?B?5bGx55Sw?= <yamada@example.jp>", "Newsletter <news@shop.example>"};
// Raw UTF-8 too (RFC 6532), as it comes in practice.
constexpr std::array kSubjects = {"Minutes of Tuesday's meeting",
                                  "Re: Re: invoice 2023-118",
                                  "=?UTF-8?Q?Gr=C3=BC=C3=9Fe_aus_K=C3=B6ln?=",
                                  "[list] patch 3/7: simplify",
                                  "Grüße, schon wieder",
                                  "",
                                  "Your order has shipped",
                                  "=?UTF-8?B?44GT44KT44Gr44Gh44Gv?="};
constexpr std::array kWords = {"the",   "message", "of",    "a",     "server", "which",  "we",    "have",    "seen",   "before",
                               "lunch", "and",     "then",  "naïve", "garden", "ledger", "table", "because", "window", "quite",
                               "river", "paper",   "north", "when",  "Zürich", "reply",  "under", "list",    "with",   "early"};
constexpr std::array kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

std::string number(std::size_t value) { return std::to_string(value); }

std::string prose_line(Dice& dice, std::size_t octets) {
  std::string line;
  while (line.size() < octets) (line += line.empty() ? "" : " ") += dice.pick(kWords);
  return line;
}

std::string prose(Dice& dice, std::size_t octets) {
  std::string text;
  while (text.size() < octets) {
    switch (dice.below(40)) {
      case 0: text += ".\r\n"; break;
      case 1: text += "." + prose_line(dice, 20) + "\r\n"; break;
      case 2: text += "From " + prose_line(dice, 30) + "\r\n"; break;
      case 3: text += ">From " + prose_line(dice, 30) + "\r\n"; break;
      case 4: text += prose_line(dice, 2000) + "\r\n"; break;
      case 5: text += "\xE9t\xE9 in Latin-1 \xA4\r\n"; break;
      case 6: text += "> " + prose_line(dice, 60) + "\r\n"; break;
      case 7: text += "\r\n"; break;
      default: text += prose_line(dice, 64) + "\r\n"; break;
    }
  }
  return text;
}

std::string base64_lines(Dice& dice, std::size_t octets) {
  constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  while (text.size() < octets) {
    for (int i = 0; i < 76; ++i) text += kAlphabet[dice.below(64)];
    text += "\r\n";
  }
  return text;
}

std::string header(Dice& dice, std::size_t index) {
  const std::string clock = number(10 + dice.below(14)) + ":" + number(10 + dice.below(50)) + ":" + number(10 + dice.below(50)) + " +0000";
  const std::string date = number(1 + dice.below(28)) + " " + dice.pick(kMonths) + " 2023 " + clock;
  std::string text = "Return-Path: <bounce-" + number(dice.below(100000)) + "@example.org>\r\n";
  for (std::size_t hop = 0, hops = 1 + dice.below(4); hop < hops; ++hop) {
    text += "Received: from mx" + number(hop) + ".example.org (mx" + number(hop) + ".example.org [192.0.2." + number(1 + dice.below(250)) +
            "])\r\n\tby mail.example.com with ESMTPS id " + number(dice.below(1'000'000'000)) + ";\r\n\t" + date + "\r\n";
  }
  text += std::string("From: ") + dice.pick(kPeople) + "\r\nTo: alice@example.com\r\nSubject: " + dice.pick(kSubjects) + "\r\nDate: " + date + "\r\n";
  if (!dice.one_in(30)) text += "Message-ID: <" + number(index) + "." + number(dice.below(1'000'000'000)) + "@example.org>\r\n";
  return text;
}

std::string multipart(Dice& dice, std::size_t octets) {
  const std::string boundary = "=_" + number(dice.below(1'000'000'000));
  return "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"" + boundary + "\"\r\n\r\n--" + boundary +
         "\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" +
         prose(dice, std::min<std::size_t>(octets / 10, 5000)) + "--" + boundary +
         "\r\nContent-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n" +
         "Content-Disposition: attachment; filename=\"report.pdf\"\r\n\r\n" + base64_lines(dice, octets * 9 / 10) + "--" + boundary + "--\r\n";
}

std::string realistic_message(Dice& dice, std::size_t index) {
  const double size = std::exp(std::log(kMedianOctets) + kSigma * dice.normal());
  const std::size_t octets = std::clamp<std::size_t>(static_cast<std::size_t>(size), 200, kOctetsMax);
  std::string message = header(dice, index);
  const std::size_t body = octets > message.size() ? octets - message.size() : 1;
  if (dice.one_in(60)) return message + "\r\n";  // an empty body
  if (octets > 20'000 || dice.one_in(8)) return message + multipart(dice, body);
  return message + "Content-Type: text/plain; charset=utf-8\r\n\r\n" + prose(dice, body);
}

std::string final_crlf(std::string_view message) { return std::string(message) + (message.empty() || message.ends_with("\r\n") ? "" : "\r\n"); }

}  // namespace

std::vector<std::string> realistic_messages(std::size_t count, std::uint64_t seed) {
  Dice dice(seed);
  std::vector<std::string> messages;
  messages.reserve(count);
  for (std::size_t index = 0; index < count; ++index) messages.push_back(realistic_message(dice, index));
  return messages;
}

std::vector<NamedMessage> awkward_messages() {
  const std::string header = "From: a@example.org\r\nSubject: awkward\r\nMessage-ID: <awkward@example.org>\r\n\r\n";
  std::string nul = header + "before ";
  nul += '\0';
  nul += " after\r\n\r\n";
  nul += '\0';
  nul += "\r\n";
  std::string every_octet = header;
  for (int octet = 0; octet < 256; ++octet) every_octet += static_cast<char>(octet);
  std::string many_fields;
  for (int i = 0; i < 20'000; ++i) many_fields += "X-Field-" + std::to_string(i) + ": " + std::to_string(i) + "\r\n";
  return {
      {"small", small_message("small")},
      {"empty", ""},
      {"one_crlf", "\r\n"},
      {"one_octet", "x"},
      {"headers_only", "From: a@example.org\r\nSubject: no body\r\n"},
      {"headers_and_empty_line", header},
      {"body_without_header", "\r\nno header at all\r\n"},
      {"dots", header + ".\r\n..\r\n...\r\n.dot\r\n..dot\r\n. \r\n\r\n.\r\n"},
      {"begins_with_a_dot", ".\r\nSubject: x\r\n\r\n."},
      {"dot_cr_at_line_start", header + ".\rX\r\n.\r.\r\n"},
      {"dot_lf_at_line_start", header + ".\n.\nX\r\n"},
      {"no_final_newline", header + "the end"},
      {"final_dot_without_newline", header + "line\r\n."},
      {"final_cr", header + "line\r"},
      {"final_lf", header + "line\n"},
      {"nul", nul},
      {"eight_bit", header + "\xE9\xFF\xFE\xC3\x28 \xF0\x9F\x93\xAC\x1B[31m\r\n"},
      {"every_octet", every_octet + "\r\n"},
      {"line_of_1_mb", header + std::string(1'000'000, 'x') + "\r\nnext\r\n"},
      {"line_of_1_mb_of_dots", header + std::string(1'000'000, '.') + "\r\n"},
      {"from_lines", header + "From someone\r\n>From someone\r\n>>From someone\r\nFrom \r\nfrom here\r\n\r\nFrom the end\r\n"},
      {"bare_lf", header + "one\ntwo\n\nthree\r\n"},
      {"bare_lf_dot_bare_lf", header + "one\n.\ntwo\r\n"},
      {"bare_cr", header + "one\rtwo\r\rthree\r\n"},
      {"crcrlf", header + "one\r\r\ntwo\r\r\r\nthree\r\n"},
      {"lfcr", header + "one\n\rtwo\n\r\r\n"},
      {"reply_look_alikes", header + "+OK 20 octets\r\n-ERR no\r\n1 uid1\r\n.\r\n+OK\r\n"},
      {"very_long_header", "From: a@example.org\r\nReferences: " + std::string(500'000, 'r') + "\r\nSubject: x\r\n\r\nbody\r\n"},
      {"very_many_headers", many_fields + "\r\nbody\r\n"},
      {"empty_lines", header + std::string("\r\n\r\n\r\n\r\n")},
  };
}

std::string small_message(std::string_view subject, std::string_view body) {
  const std::string name(subject);
  return "From: ada@example.org\r\nTo: alice@example.com\r\nDate: Mon, 2 Oct 2023 10:00:00 +0000\r\nSubject: " + name + "\r\n\r\n" +
         std::string(body);
}

std::string message_with_id(std::string_view subject, std::string_view body) {
  std::string id(subject);
  std::ranges::replace(id, ' ', '.');
  return "Message-ID: <" + id + "@example.org>\r\n" + small_message(subject, body);
}

std::string with_crlf(std::string_view text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\n' && (i == 0 || text[i - 1] != '\r')) result += '\r';
    result += text[i];
  }
  return result;
}

std::string octets_on_wire(std::string_view message) {
  const std::string whole = final_crlf(message);
  std::string wire;
  wire.reserve(whole.size() + whole.size() / 64 + 8);
  if (whole.starts_with('.')) wire += '.';
  std::size_t begin = 0;
  for (std::size_t found = whole.find("\r\n."); found != std::string::npos; found = whole.find("\r\n.", begin)) {
    wire.append(whole, begin, found + 2 - begin);
    wire += '.';
    begin = found + 2;
  }
  wire.append(whole, begin);
  return wire + ".\r\n";
}

std::string octets_stored(std::string_view message) {
  const std::string whole = final_crlf(message);
  std::string stored;
  stored.reserve(whole.size());
  for (std::size_t i = 0; i < whole.size(); ++i) {
    if (whole[i] != '\r' || i + 1 == whole.size() || whole[i + 1] != '\n') stored += whole[i];
  }
  return stored;
}

}  // namespace popsync::test
