// SPDX-License-Identifier: MIT
#include "pop3/refusal_words.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <string>

namespace popsync::pop3 {
namespace {

constexpr auto kRefusals = std::to_array<RefusalPhrase>({
    // Of an account that is locked "by another session" nothing is wrong.
    {"ANOTHER SESSION", RefusalMeaning::in_use, "qpopper, GMX"},
    {"ANOTHER POP SESSION", RefusalMeaning::in_use, "Gmail"},
    {"ANOTHER POP3 SESSION", RefusalMeaning::in_use, "Dovecot"},
    // Each further login may prolong it. Some say beside it that it passes, or that the password is wrong.
    {"ACCOUNT IS LOCKED", RefusalMeaning::locked, "providers"},
    {"ACCOUNT LOCKED", RefusalMeaning::locked, "providers"},
    {"ACCOUNT HAS BEEN LOCKED", RefusalMeaning::locked, "providers"},
    {"ACCOUNT IS TEMPORARILY LOCKED", RefusalMeaning::locked, "providers"},
    {"LOCKED OUT", RefusalMeaning::locked, "Windows domains"},
    {"SUSPENDED", RefusalMeaning::locked, "Twisted, ISPs"},
    {"BLOCKED", RefusalMeaning::locked, "Zoho"},
    {"ACCOUNT IS DISABLED", RefusalMeaning::locked, "providers"},
    {"ACCOUNT DISABLED", RefusalMeaning::locked, "providers"},
    {"TOO MANY FAILED", RefusalMeaning::locked, "providers"},
    {"TOO MANY INVALID", RefusalMeaning::locked, "hMailServer"},
    {"TOO MANY LOGIN FAILURES", RefusalMeaning::locked, "providers"},
    {"TOO MANY AUTHENTICATION FAILURES", RefusalMeaning::locked, "providers"},
    {"LOCK BUSY", RefusalMeaning::in_use, "qpopper"},
    {"ALREADY LOCKED", RefusalMeaning::in_use, "RFC 1939, hMailServer"},
    {"UNABLE TO LOCK", RefusalMeaning::in_use, "RFC 1939, Cyrus"},
    {"IN USE", RefusalMeaning::in_use, "mailutils"},
    {"IS LOCKED", RefusalMeaning::in_use, "UW ipop3d"},
    {"MAILBOX LOCKED", RefusalMeaning::in_use, "VPOP3"},
    {"MAILDROP LOCKED", RefusalMeaning::in_use, "qpopper"},
    // Five reasons in one sentence, a wrong password and a limit among them.
    {"ACCOUNT IS ABNORMAL", RefusalMeaning::unclear, "QQ Mail"},
    {"TEMPORARY", RefusalMeaning::passes, "Dovecot, Courier"},
    {"TEMPORARILY", RefusalMeaning::passes, "Courier"},
    {"RATE-LIMIT", RefusalMeaning::passes, "providers"},
    {"RATE LIMIT", RefusalMeaning::passes, "providers"},
    {"LOGIN LIMIT", RefusalMeaning::passes, "Outlook.com"},
    {"BANDWIDTH LIMIT", RefusalMeaning::passes, "Gmail"},
    {"CONNECTION LIMIT", RefusalMeaning::passes, "Courier"},
    {"TOO MANY CONNECTIONS", RefusalMeaning::passes, "Dovecot proxies"},
    {"TOO MANY SIMULTANEOUS", RefusalMeaning::passes, "Gmail"},
    {"TOO MANY SESSIONS", RefusalMeaning::passes, "providers"},
    {"TOO MANY USERS", RefusalMeaning::passes, "small servers"},
    {"MAXIMUM CONNECTIONS", RefusalMeaning::passes, "LumiSoft"},
    {"MAXIMUM NUMBER OF CONNECTIONS", RefusalMeaning::passes, "Dovecot"},
    {"MAXIMUM ACTIVE CLIENTS", RefusalMeaning::passes, "Synchronet"},
    {"TOO FREQUENT", RefusalMeaning::passes, "providers"},
    {"TOO OFTEN", RefusalMeaning::passes, "providers"},
    {"INTERNAL SERVER ERROR", RefusalMeaning::passes, "nginx"},
    {"INTERNAL ERROR", RefusalMeaning::passes, "small servers"},
    {"SERVER ERROR", RefusalMeaning::passes, "Yahoo"},
    {"SYSTEM ERROR", RefusalMeaning::passes, "small servers"},
    {"SERVICE UNAVAILABLE", RefusalMeaning::passes, "providers"},
    {"SERVICES UNAVAILABLE", RefusalMeaning::passes, "qpopper"},
    {"SERVER UNAVAILABLE", RefusalMeaning::passes, "Exchange"},
    {"OVERLOADED", RefusalMeaning::passes, "providers"},
    {"IS BUSY", RefusalMeaning::passes, "providers"},
    {"TOO BUSY", RefusalMeaning::passes, "providers"},
    {"MAINTENANCE", RefusalMeaning::passes, "providers"},
    {"BEING REBUILT", RefusalMeaning::passes, "providers"},
    {"POP3 ACCESS DISABLED", RefusalMeaning::switched_off, "Courier"},
    {"POP3 ACCESS DENIED", RefusalMeaning::switched_off, "small servers"},
    {"POP3 IS DISABLED", RefusalMeaning::switched_off, "providers"},
    {"NOT ENABLED FOR POP", RefusalMeaning::switched_off, "Gmail"},
    {"NOT ALLOWED TO USE POP", RefusalMeaning::switched_off, "providers"},
    {"AUTHENTICATION FAIL", RefusalMeaning::wrong_secret, "Dovecot, James, popa3d"},
    {"AUTHORIZATION FAILED", RefusalMeaning::wrong_secret, "qmail-popup"},
    {"LOGON FAILURE", RefusalMeaning::wrong_secret, "Exchange"},
    {"LOGIN INCORRECT", RefusalMeaning::wrong_secret, "UNIX servers"},
    {"INCORRECT USERNAME", RefusalMeaning::wrong_secret, "Yahoo"},
    {"INVALID LOGIN", RefusalMeaning::wrong_secret, "Cyrus, nginx"},
    {"BAD LOGIN", RefusalMeaning::wrong_secret, "UW ipop3d, mailutils"},
    {"INVALID PASSWORD", RefusalMeaning::wrong_secret, "RFC 1939"},
    {"BAD PASSWORD", RefusalMeaning::wrong_secret, "popa3d, Exchange"},
    {"WRONG PASSWORD", RefusalMeaning::wrong_secret, "small servers"},
    {"INCORRECT PASSWORD", RefusalMeaning::wrong_secret, "small servers"},
    {"PASSWORD INCORRECT", RefusalMeaning::wrong_secret, "small servers"},
    {"PASSWORD SUPPLIED FOR", RefusalMeaning::wrong_secret, "qpopper"},
    {"INVALID CREDENTIALS", RefusalMeaning::wrong_secret, "providers"},
    {"INVALID USER", RefusalMeaning::wrong_secret, "hMailServer, LumiSoft"},
    {"USERNAME AND PASSWORD NOT ACCEPTED", RefusalMeaning::wrong_secret, "Gmail"},
    {"APPLICATION PASSWORD", RefusalMeaning::wrong_secret, "Mail.ru"},
    {"UNKNOWN USER", RefusalMeaning::wrong_secret, "Exchange"},
    {"USER UNKNOWN", RefusalMeaning::wrong_secret, "small servers"},
    {"NO SUCH USER", RefusalMeaning::wrong_secret, "small servers"},
    {"NO SUCH MAILBOX", RefusalMeaning::wrong_secret, "small servers"},
    {"NO MAILBOX FOR", RefusalMeaning::wrong_secret, "RFC 1939"},
    {"NEVER HEARD OF", RefusalMeaning::wrong_secret, "RFC 1939"},
    // Beside "try again later" too: a login that the provider counts must not be tried without end.
    {"LOGIN FAIL", RefusalMeaning::unclear, "Courier"},
    {"UNABLE TO LOG ON", RefusalMeaning::unclear, "NetEase (163.com)"},
    {"TRY AGAIN", RefusalMeaning::passes, "qpopper"},
    {"TRY LATER", RefusalMeaning::passes, "small servers"},
});

constexpr auto kEmpty = std::to_array<std::string_view>({
    "NO MESSAGES",
    "NO MAILS",
    "MAILBOX IS EMPTY",
    "MAILDROP IS EMPTY",
    "MAILBOX EMPTY",
    "MAILDROP EMPTY",
});

constexpr auto kTrouble = std::to_array<std::string_view>({
    "CANNOT",
    "CAN'T",
    "CAN NOT",
    "COULD NOT",
    "COULDN'T",
    "UNABLE",
    "FAIL",
    "ERROR",
    "UNAVAILABLE",
    "LOCKED",
    "MOUNT",
    "TEMPORAR",
});

std::string in_upper_case(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return out;
}

bool has_any(const std::string& text, std::span<const std::string_view> phrases) {
  return std::ranges::any_of(phrases, [&](std::string_view words) { return text.find(words) != std::string::npos; });
}

}  // namespace

std::span<const RefusalPhrase> refusal_phrases() { return kRefusals; }

std::string_view name_of(RefusalMeaning meaning) {
  switch (meaning) {
    case RefusalMeaning::in_use: return "in use";
    case RefusalMeaning::locked: return "locked";
    case RefusalMeaning::switched_off: return "switched off";
    case RefusalMeaning::passes: return "passes";
    case RefusalMeaning::wrong_secret: return "wrong password";
    case RefusalMeaning::unclear: return "unclear";
  }
  return "unclear";
}

std::optional<RefusalMeaning> meaning_of(std::string_view text) {
  const std::string upper = in_upper_case(text);
  const auto* found = std::ranges::find_if(kRefusals, [&](const RefusalPhrase& phrase) { return upper.find(phrase.words) != std::string::npos; });
  if (found == kRefusals.end()) return std::nullopt;
  return found->meaning;
}

std::span<const std::string_view> empty_maildrop_phrases() { return kEmpty; }

std::span<const std::string_view> listing_trouble_words() { return kTrouble; }

bool says_empty_maildrop(std::string_view text) {
  const std::string upper = in_upper_case(text);
  return has_any(upper, kEmpty) && !has_any(upper, kTrouble);
}

}  // namespace popsync::pop3
