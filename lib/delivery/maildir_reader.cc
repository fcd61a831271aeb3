// SPDX-License-Identifier: MIT
#include "delivery/maildir_reader.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "delivery/line_ending.h"
#include "delivery/maildir_name.h"

namespace popsync::delivery {
namespace {

constexpr std::size_t kReadOctets = 64UL * 1024;
constexpr int kLooks = 2;  // for files that are renamed while a folder is read

// Behind the empty line that ends a header; npos if it is not in this part. `last`: the octet before it.
std::size_t end_of_header(const std::string& part, char last) {
  if (last == '\n' && part.starts_with('\n')) return 1;
  const auto found = part.find("\n\n");
  return found == std::string::npos ? found : found + 2;
}

FilePrints read(Fs& fs, int file, bool header_only) {
  FilePrints out;
  MessagePrinter printer;
  CrlfToLf line_ends;
  std::string text;
  char last = '\n';
  const auto take = [&](std::string_view part) {
    out.wire_octets += part.size() + static_cast<std::uint64_t>(std::ranges::count(part, '\n'));
    printer.update(part);
  };
  bool ended = false;
  while (!ended) {
    const std::string part = fs.read(file, kReadOctets);
    if (part.empty()) break;
    text.clear();
    line_ends.convert(part, text);
    const auto end = header_only ? end_of_header(text, last) : std::string::npos;
    take(std::string_view(text).substr(0, end));
    ended = end != std::string::npos;
    if (!text.empty()) last = text.back();
  }
  text.clear();
  if (!ended) line_ends.finish(text);
  take(text);
  out.prints = printer.finish();
  return out;
}

}  // namespace

std::optional<MaildirReader> MaildirReader::open(Fs& fs, const std::string& path) {
  const auto root = fs.open_root(path);
  auto fresh = root ? fs.open_directory(root->get(), "new") : std::nullopt;
  auto cur = root ? fs.open_directory(root->get(), "cur") : std::nullopt;
  if (!fresh || !cur) return std::nullopt;
  return MaildirReader(fs, std::move(*fresh), std::move(*cur));
}

MaildirReader::MaildirReader(Fs& fs, UniqueFd fresh, UniqueFd cur) : fs_(fs), new_(std::move(fresh)), cur_(std::move(cur)) {
  for (int i = 0; i < kLooks; ++i) look();
}

void MaildirReader::look() {
  for (const int dir : {new_.get(), cur_.get()}) {  // new/ first: a reader moves files from there to cur/
    for (std::string& name : fs_.list(dir)) {
      std::string key(name_without_flags(name));
      if (!key.empty() && key.front() != '.') places_.insert_or_assign(std::move(key), Place{.dir = dir, .name = std::move(name)});
    }
  }
}

std::vector<std::string> MaildirReader::names() const {
  std::vector<std::string> names;
  for (const auto& [name, place] : places_) names.push_back(name);
  std::ranges::sort(names);
  return names;
}

std::optional<FilePrints> MaildirReader::header_of(const std::string& name) {
  const auto file = open_file(name);
  return file ? std::optional(read(fs_, file->get(), true)) : std::nullopt;
}

std::optional<FilePrints> MaildirReader::read_durably(const std::string& name) {
  const auto file = open_file(name);
  if (!file) return std::nullopt;
  fs_.sync_file(file->get());
  return read(fs_, file->get(), false);
}

void MaildirReader::sync() {
  fs_.sync_directory(new_.get());
  fs_.sync_directory(cur_.get());
}

std::optional<UniqueFd> MaildirReader::open_file(const std::string& name) {
  for (int i = 0; i <= kLooks; ++i) {
    const auto place = places_.find(name);
    if (place == places_.end()) return std::nullopt;
    if (auto file = open_at(place->second)) return file;
    look();
  }
  return std::nullopt;
}

std::optional<UniqueFd> MaildirReader::open_at(const Place& place) {
  const auto found = fs_.stat(place.dir, place.name);
  return found && found->is_regular ? fs_.open(place.dir, place.name) : std::nullopt;
}

}  // namespace popsync::delivery
