// SPDX-License-Identifier: MIT
// Every case of docs/protocol.md has a test that names it, or a reason in docs/testing.md why it has none; and neither names a case that is not
// there. The words of its tables are those that the program looks for.
#include <gmock/gmock.h>

#include "docs/text.h"
#include "pop3/refusal_words.h"

namespace popsync::docs {
namespace {

constexpr int kCases = 118;
const std::string kList = "([0-9]+(?:[-,] ?[0-9]+)*)";

// "6, 14, 18-21" -> 6 14 18 19 20 21
std::set<int> numbers_in(const std::string& list) {
  std::set<int> numbers;
  for (const std::string& part : matches(list, "([0-9]+(?:-[0-9]+)?)")) {
    const auto dash = part.find('-');
    const int last = std::stoi(dash == std::string::npos ? part : part.substr(dash + 1));
    for (int number = std::stoi(part); number <= last; ++number) numbers.insert(number);
  }
  return numbers;
}

std::set<int> numbers_behind(const std::string& text, const std::string& label) {
  std::set<int> numbers;
  for (const std::string& list : matches(text, label + kList)) numbers.merge(numbers_in(list));
  return numbers;
}

std::set<int> cases() {
  std::set<int> numbers;
  int last = 0;
  for (const std::string& number : matches(content_of(kRoot / "docs/protocol.md"), R"(\n\| ([0-9]+) \|)")) {
    EXPECT_EQ(std::stoi(number), last + 1) << "out of order";
    last = std::stoi(number);
    numbers.insert(last);
  }
  return numbers;
}

// What a file says of itself at its head names no test.
std::string without_head(const std::string& source) {
  std::istringstream lines(source);
  std::string line;
  while (std::getline(lines, line) && line.starts_with("//")) {
  }
  return source.substr(lines.eof() ? source.size() : static_cast<std::size_t>(lines.tellg()));
}

std::map<int, std::vector<std::string>> named_by_tests() {
  std::map<int, std::vector<std::string>> named;
  for (const fs::path& source : sources_below("tests")) {
    if (source.parent_path() == "tests/docs" || source.parent_path() == "tests/support") continue;
    for (const int number : numbers_behind(without_head(content_of(kRoot / source)), R"(protocol\.md )")) named[number].push_back(source);
  }
  for (const fs::directory_entry& entry : fs::directory_iterator(kRoot / "tests/dialogs")) {
    if (entry.path().extension() != ".dialog") continue;
    const std::string name = entry.path().filename();
    named[std::stoi(name)].push_back(name);
    for (const int number : numbers_behind(content_of(entry.path()), R"(protocol\.md )")) named[number].push_back(name);
  }
  return named;
}

std::set<int> excused() { return numbers_behind(content_of(kRoot / "docs/testing.md"), R"(\n- (?=[0-9]+: ))"); }

TEST(Protocol, HasTheCasesThatEverybodyCounts) { EXPECT_EQ(cases().size(), static_cast<std::size_t>(kCases)); }

TEST(Protocol, EveryCaseHasATestOrAReasonAndNoneBoth) {
  const auto named = named_by_tests();
  const std::set<int> reasons = excused();
  EXPECT_FALSE(reasons.empty());
  for (const int number : cases()) {
    if (reasons.contains(number)) {
      EXPECT_FALSE(named.contains(number)) << number << " has a reason for no test, and a test in " << named.at(number).front();
    } else {
      EXPECT_TRUE(named.contains(number)) << number << " has neither a test nor a reason for none";
    }
  }
}

TEST(Protocol, NoOtherCaseIsNamed) {
  const std::set<int> known = cases();
  for (const auto& [number, places] : named_by_tests()) EXPECT_TRUE(known.contains(number)) << number << " in " << places.front();
  for (const int number : excused()) EXPECT_TRUE(known.contains(number)) << number;
  for (const char* folder : {"lib", "daemon"}) {
    for (const fs::path& source : sources_below(folder)) {
      for (const int number : numbers_behind(content_of(kRoot / source), R"(protocol\.md )")) EXPECT_TRUE(known.contains(number)) << source;
    }
  }
}

std::string lower_case(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

std::vector<std::string> lower_case(std::span<const std::string_view> phrases) {
  std::vector<std::string> out;
  for (const std::string_view words : phrases) out.push_back(lower_case(words));
  return out;
}

std::string refusals_in_words() {
  const std::string text = content_of(kRoot / "docs/protocol.md");
  return text.substr(text.find("## Refusals in words"));
}

TEST(RefusalsInWords, AreThoseOfTheProgramInItsOrder) {
  std::vector<std::string> documented;
  for (const std::string& line : lines_of(refusals_in_words())) {
    if (line.starts_with("| `")) documented.push_back(line);
  }
  std::vector<std::string> known;
  for (const pop3::RefusalPhrase& phrase : pop3::refusal_phrases())
    known.push_back("| `" + lower_case(phrase.words) + "` | " + std::string(pop3::name_of(phrase.meaning)) + " | " + std::string(phrase.seen) + " |");
  EXPECT_EQ(documented, known);
}

TEST(RefusalsInWords, OfAnEmptyMaildropAreThoseOfTheProgram) {
  std::vector<std::string> known = lower_case(pop3::empty_maildrop_phrases());
  for (const std::string& word : lower_case(pop3::listing_trouble_words())) known.push_back(word);
  EXPECT_EQ(matches(refusals_in_words(), "\n- `([^`]+)`"), known);
}

}  // namespace
}  // namespace popsync::docs
