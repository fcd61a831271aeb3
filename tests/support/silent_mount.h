// SPDX-License-Identifier: MIT
// A mounted file system that stops answering when it is told to, as a network mount does whose server is gone. It is a small FUSE server without a
// library: a thread of the test answers the kernel, with the files of a folder, until it falls silent. Whoever then asks for a file waits in the
// kernel until this object is gone. Needs root and /dev/fuse; the mount is in a namespace of the calling thread and of the programs it starts.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

namespace popsync::test {

// What it may fall silent behind.
enum class DiskEvent { none, write, sync, rename };

class SilentMount {
 public:
  // Mounts over the folder `point`. Null where that is not possible.
  static std::unique_ptr<SilentMount> mount(const std::string& point);
  SilentMount(const SilentMount&) = delete;
  SilentMount& operator=(const SilentMount&) = delete;
  // Whoever waits gets an error.
  ~SilentMount();

  // The files behind it, which always answer.
  [[nodiscard]] const std::string& backing() const;
  // No call that the kernel makes from now on is answered.
  void fall_silent();
  // The same, once a call of this kind was answered.
  void fall_silent_behind(DiskEvent event);
  void answer_again();
  // Until it is silent and somebody waits for an answer. False after a minute.
  [[nodiscard]] bool wait_for_waiter();

 private:
  struct Impl;
  explicit SilentMount(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace popsync::test
