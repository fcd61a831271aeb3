// SPDX-License-Identifier: MIT
#include "sync/adoption.h"

#include <map>
#include <string_view>

#include "delivery/message_prints.h"

namespace popsync::sync {
namespace {

// Messages and files of one header hash that have not found each other.
struct Group {
  std::vector<std::size_t> headers;
  std::vector<std::size_t> files;
};

class Pairing {
 public:
  Pairing(std::span<const ListedHeader> headers, std::span<const FileHeader> files) : headers_(headers), files_(files) {}

  std::vector<Adopted> run() {
    for (auto& [hash, group] : groups()) {
      const bool named = headers_[group.headers.front()].has_message_id;
      pair_equal_sizes(group, named, &FileHeader::wire_octets, named);
      pair_equal_sizes(group, named, &FileHeader::stored_size, false);
      if (named && group.headers.size() <= group.files.size()) pair_in_order(group, group.headers, group.files, false);
    }
    return std::move(out_);
  }

 private:
  std::map<std::string_view, Group> groups() {
    std::map<std::string_view, Group> groups;
    const std::string nothing = delivery::prints_of("").header_hash;  // of a header without any of the fields: says nothing
    for (std::size_t i = 0; i < headers_.size(); ++i) {
      const std::string& hash = headers_[i].header_hash;
      if (!hash.empty() && hash != nothing) groups[hash].headers.push_back(i);
    }
    for (std::size_t i = 0; i < files_.size(); ++i) {
      const auto group = groups.find(files_[i].header_hash);
      if (group != groups.end()) group->second.files.push_back(i);
    }
    return groups;
  }

  // `named`: all these are one message, as far as its sender is concerned, so that any of them will do.
  void pair_equal_sizes(Group& group, bool named, std::uint64_t FileHeader::*size, bool removable) {
    std::map<std::uint64_t, Group> by_size;
    for (const std::size_t header : group.headers) {
      if (headers_[header].entry.list_size) by_size[*headers_[header].entry.list_size].headers.push_back(header);
    }
    for (const std::size_t file : group.files) {
      const auto equal = by_size.find(files_[file].*size);
      if (equal != by_size.end()) equal->second.files.push_back(file);
    }
    for (const auto& [octets, equal] : by_size) {
      const bool all_here = equal.headers.size() <= equal.files.size();
      if (all_here || named) pair_in_order(group, equal.headers, equal.files, removable && all_here);
    }
  }

  void pair_in_order(Group& group, std::vector<std::size_t> headers, std::vector<std::size_t> files, bool removable) {
    for (std::size_t i = 0; i < headers.size() && i < files.size(); ++i) {
      out_.push_back({.header = headers[i], .file = files[i], .removable = removable});
      std::erase(group.headers, headers[i]);
      std::erase(group.files, files[i]);
    }
  }

  std::span<const ListedHeader> headers_;
  std::span<const FileHeader> files_;
  std::vector<Adopted> out_;
};

}  // namespace

std::vector<Adopted> pair_with_files(std::span<const ListedHeader> headers, std::span<const FileHeader> files) {
  return Pairing(headers, files).run();
}

}  // namespace popsync::sync
