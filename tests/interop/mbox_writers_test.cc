// SPDX-License-Identifier: MIT
// Into one mbox at the same time as programs that others wrote: what all of them wrote is there, once and whole.
#include <gtest/gtest.h>

#include <algorithm>
#include <ostream>
#include <sstream>
#include <string>
#include <vector>

#include "interop/mbox_with_others.h"
#include "support/skip.h"
#include "support/thoroughness.h"

namespace popsync::test {
namespace {

constexpr std::size_t kMessages = 600;  // more than one batch
constexpr int kSyncs = kSanitized ? 1 : 4;
constexpr int kBodyLines = 1000;  // one write each: time enough for whoever does not wait to write in between

struct Writer {
  std::string program;
  std::string write;  // shell: puts one message, which `message` prints and `body` without its header, into the mbox $1
};
void PrintTo(const Writer& writer, std::ostream* out) { *out << writer.program; }

std::vector<Writer> writers() {
  std::vector<Writer> writers{{"procmail", R"(message | procmail -f procmail@example.org "$HOME/procmailrc")"},
                              {"s-nail", R"(body | s-nail -:/ -Sexpandaddr -s "writer $i" "$1" 2>/dev/null)"}};
  for (const Locker& locker : lockers()) {
    writers.push_back(
        {locker.program, locker.lock + " && { echo 'From you Tue Nov 14 22:13:20 2023'; message; echo; } >>\"$1\" && " + locker.unlock});
  }
  return writers;
}

struct MboxWriters : MboxWithOthers, testing::WithParamInterface<Writer> {
  // Writes until there is a file `done`, each message until it is not refused, then says how many it has written.
  [[nodiscard]] ProgramCall writer() const {
    return shell("body() { n=0; while [ $n -lt " + std::to_string(kBodyLines) + R"( ]; do n=$((n + 1)); echo "line $n of $i"; done; }
      message() { echo "Subject: writer $i"; echo; body; }
      i=0
      until [ -e "$2" ]; do i=$((i + 1)); until )" +
                     GetParam().write + R"(; do :; done; done
      echo $i)",
                 home.folder() / "done");
  }
  static std::string written(int number) {
    std::string message = "Subject: writer " + std::to_string(number) + "\n\n";
    for (int n = 1; n <= kBodyLines; ++n) message += "line " + std::to_string(n) + " of " + std::to_string(number) + "\n";
    return message;
  }
  // Without the fields that s-nail adds.
  static std::string reduced(const std::string& message) {
    const std::size_t end = message.find("\n\n");
    std::istringstream header(message.substr(0, end));
    std::string result;
    for (std::string line; std::getline(header, line);) {
      const auto begins = [&](const char* name) { return line.starts_with(name); };
      if (!std::ranges::any_of(std::vector{"Date:", "User-Agent:"}, begins)) result += line + '\n';
    }
    return result + message.substr(end + 1);
  }
};

TEST_P(MboxWriters, LoseAndCutNothingOfEachOther) {
  POPSYNC_REQUIRE_PROGRAM(GetParam().program);
  (void)home.folder().write("home/procmailrc", "LOCKSLEEP=1\n:0:\n" + mbox() + "\n");
  ProgramRun other(writer());
  for (int i = 0; i < kSyncs; ++i) {
    mail_comes(kMessages);
    const ProgramResult sync = home.run({"sync"});
    ASSERT_EQ(sync.status, 0) << sync.err;
  }
  (void)home.folder().write("done", "");
  ASSERT_EQ(other.wait().status, 0) << other.err();
  std::vector<std::string> wanted{"Subject: foreign\n\nbody\n"};
  for (const std::string& message : as_stored(server.messages())) wanted.push_back(reduced(message));
  for (int i = 1; i <= std::stoi(other.out()); ++i) wanted.push_back(written(i));
  std::vector<std::string> here;
  for (const MboxText& entry : entries()) here.push_back(reduced(entry.message));
  std::ranges::sort(wanted);
  std::ranges::sort(here);
  ASSERT_EQ(here.size(), wanted.size());
  for (std::size_t i = 0; i < wanted.size(); ++i) ASSERT_TRUE(here[i] == wanted[i]) << "wanted: " << wanted[i].substr(0, 200);
}

INSTANTIATE_TEST_SUITE_P(Of, MboxWriters, testing::ValuesIn(writers()), [](const auto& tested) {
  std::string name = tested.param.program;
  std::ranges::replace(name, '-', '_');
  return name;
});

}  // namespace
}  // namespace popsync::test
