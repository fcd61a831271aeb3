// SPDX-License-Identifier: MIT
#include "pop3/refusal_words.h"

#include <gtest/gtest.h>

#include <cctype>
#include <set>
#include <string>
#include <vector>

#include "pop3/reply.h"

namespace popsync::pop3 {
namespace {

using enum ErrorCode;

struct Said {
  std::string server;
  std::string line;
  ErrorCode means;
};

ErrorCode at_login(const std::string& line) { return classify_refusal(parse_status_line(line, false, false).value(), RefusedStep::login); }

// As they were found in sources, bug reports and mail archives.
TEST(RefusalWords, OfThirtyServersMeanWhatTheyMean) {
  const std::vector<Said> table = {
      {"Dovecot 2", "-ERR [AUTH] Authentication failed.", login_refused},
      {"Dovecot 2", "-ERR [SYS/TEMP] Temporary authentication failure. [mx1:2026-11-30 01:02:03]", server_temporary},
      {"Dovecot 2", "-ERR [IN-USE] Mailbox is locked by another POP3 session", in_use},
      {"Dovecot 1", "-ERR Authentication failed.", login_refused},
      {"Dovecot 1, proxy", "-ERR [IN-USE] Temporary authentication failure.", in_use},
      {"Dovecot 1", "-ERR Temporary authentication failure.", server_temporary},
      {"Courier", "-ERR Login failed.", login_unclear},
      {"Courier", "-ERR Temporary problem, please try again later", server_temporary},
      {"Courier", "-ERR Your account is temporarily unavailable (+t bit set on home directory).", server_temporary},
      {"Courier", "-ERR POP3 access disabled for this account.", login_refused},
      {"Cyrus", "-ERR [AUTH] Invalid login", login_refused},
      {"Cyrus 1", "-ERR Invalid login", login_refused},
      {"Cyrus", "-ERR [IN-USE] Unable to lock maildrop", in_use},
      {"Cyrus", "-ERR [LOGIN-DELAY] Logins must be at least 5 minutes apart", login_delay},
      {"Cyrus", "-ERR [SYS/PERM] Fatal error: can't initialize mail system", server_permanent},
      {"qpopper", "-ERR [AUTH] Password supplied for \"alice\" is incorrect.", login_refused},
      {"qpopper 2", "-ERR Password supplied for \"alice\" is incorrect.", login_refused},
      {"qpopper 2", "-ERR alice lock busy!  Is another session active? (11)", in_use},
      {"UW ipop3d", "-ERR Bad login", login_refused},
      {"GNU mailutils", "-ERR [IN-USE] Mailbox in use", in_use},
      {"popa3d", "-ERR Authentication failed (bad password?)", login_refused},
      {"qmail-popup (free.fr)", "-ERR authorization failed", login_refused},
      {"Apache James", "-ERR Authentication failed.", login_refused},
      {"nginx", "-ERR internal server error", server_temporary},
      {"nginx", "-ERR Invalid login or password", login_refused},
      {"hMailServer", "-ERR Invalid user name or password.", login_refused},
      {"hMailServer", "-ERR Invalid user name or password. Too many invalid logon attempts.", login_refused},
      {"hMailServer", "-ERR Your mailbox is already locked", in_use},
      {"LumiSoft", "-ERR LOGIN failed, invalid user name or password !", login_refused},
      {"LumiSoft", "-ERR Maximum connections from your IP address is exceeded, try again later !", server_temporary},
      {"Synchronet", "-ERR Maximum active clients reached, please try again later.", server_temporary},
      {"Synchronet", "-ERR Access denied.", login_unclear},
      {"VPOP3", "-ERR Mailbox Locked", in_use},
      {"Bongo", "-ERR [IN-USE] Mailbox is already locked. POP access denied", in_use},
      {"Exchange", "-ERR Logon failure: unknown user name or bad password.", login_refused},
      {"Exchange", "-ERR Server Unavailable. 21", server_temporary},
      {"Outlook.com", "-ERR Exceeded the login limit for a 15 minute period. Reduce the frequency of requests to the POP3 server.", server_temporary},
      {"Gmail", "-ERR [AUTH] Username and password not accepted.", login_refused},
      {"Gmail", "-ERR [AUTH] Web login required: https://support.google.com/mail/answer/78754", login_refused},
      {"Gmail", "-ERR [AUTH] Account exceeded pop command or bandwidth limits (Failure)", login_refused},
      {"Gmail", "-ERR [SYS/TEMP] Temporary system problem. Please try again later.", server_temporary},
      {"Gmail", "-ERR [SYS/PERM] Your account is not enabled for POP access.", server_permanent},
      {"Gmail", "-ERR [IN-USE] Unable to lock maildrop: Mailbox is locked by another POP session.", in_use},
      {"Yahoo", "-ERR [AUTH] Incorrect username or password. (#MBR1212)", login_refused},
      {"Yahoo", "-ERR [SYS/TEMP] Server error - Please try again later.", server_temporary},
      {"Yandex", "-ERR [AUTH] login failure or POP3 disabled, try later. sc=HtjJitcPRuQ1", login_refused},
      {"Mail.ru", "-ERR Application password is REQUIRED", login_refused},
      {"NetEase (163.com)", "-ERR Unable to log on", login_unclear},
      {"QQ Mail", "-ERR Login fail. Account is abnormal, service is not open, password is incorrect, login frequency limited, or system is busy.",
       login_unclear},
      {"Zoho", "-ERR POP access blocked due to excessive usage", login_refused},
      {"a Twisted server", "-ERR account suspended", login_refused},
      {"RFC 1939", "-ERR never heard of mailbox name", login_refused},
      {"RFC 1939", "-ERR sorry, no mailbox for frated here", login_refused},
      {"RFC 1939", "-ERR maildrop already locked", in_use},
      {"RFC 1939", "-ERR permission denied", login_unclear},
      {"a provider", "-ERR Temporary authentication failure (rate-limit)", server_temporary},
      {"a provider", "-ERR Too many connections from your address", server_temporary},
      {"a provider", "-ERR mailbox is being rebuilt", server_temporary},
      {"a provider", "-ERR Your account is locked: too many failed logins", login_refused},
      {"a provider", "-ERR account is locked by another session or for maintenance, try again", in_use},
      {"a provider", "-ERR Login failed, please try again later", login_unclear},
  };
  std::set<std::string> servers;
  for (const Said& said : table) {
    servers.insert(said.server);
    EXPECT_EQ(name_of(at_login(said.line)), name_of(said.means)) << said.server << ": " << said.line;
  }
  EXPECT_GE(servers.size(), 30U);
}

TEST(RefusalWords, AResponseCodeBeatsThem) {
  for (const RefusalPhrase& phrase : refusal_phrases()) {
    EXPECT_EQ(at_login("-ERR [AUTH] " + std::string(phrase.words)), login_refused) << phrase.words;
    EXPECT_EQ(at_login("-ERR [SYS/TEMP] " + std::string(phrase.words)), server_temporary) << phrase.words;
  }
}

TEST(RefusalWords, EachPhraseIsUpperCaseAndHasItsOwnEffect) {
  for (const RefusalPhrase& phrase : refusal_phrases()) {
    EXPECT_FALSE(phrase.seen.empty()) << phrase.words;
    for (const char c : phrase.words) EXPECT_FALSE(std::islower(static_cast<unsigned char>(c))) << phrase.words;
    // No phrase in front of it hides it.
    EXPECT_EQ(meaning_of("so: " + std::string(phrase.words) + "."), phrase.meaning) << phrase.words;
    for (const RefusalPhrase& other : refusal_phrases()) {
      if (&other >= &phrase) break;
      EXPECT_EQ(phrase.words.find(other.words), std::string_view::npos) << phrase.words << " never counts, because of " << other.words;
    }
  }
}

TEST(RefusalWords, TextOfNoPhraseHasNoMeaning) {
  for (const char* text : {"", "no", "Ung\xc3\xbcltiges Kennwort", "please call us"}) EXPECT_FALSE(meaning_of(text)) << text;
}

// protocol.md 54
TEST(EmptyMaildropWords, AreThoseOfServersAndNoneOfTrouble) {
  for (const char* text : {"no messages", "No messages found.", "No messages available", "no messages in folder", "No messages, no list, no status",
                           "There are no messages in your mailbox", "no mails on server", "Mailbox is empty"}) {
    EXPECT_TRUE(says_empty_maildrop(text)) << text;
  }
  for (const char* text : {"", "no", "no such message", "no mailbox for alice here", "mailbox not available", "internal server error",
                           "no messages: cannot open the mailbox", "no messages could be read: I/O error", "no messages, store not mounted",
                           "maildrop empty, unable to lock"}) {
    EXPECT_FALSE(says_empty_maildrop(text)) << text;
  }
}

TEST(EmptyMaildropWords, EachCounts) {
  for (const std::string_view words : empty_maildrop_phrases()) {
    EXPECT_TRUE(says_empty_maildrop(words)) << words;
    for (const std::string_view trouble : listing_trouble_words())
      EXPECT_FALSE(says_empty_maildrop(std::string(words) + " " + std::string(trouble))) << trouble;
  }
}

}  // namespace
}  // namespace popsync::pop3
