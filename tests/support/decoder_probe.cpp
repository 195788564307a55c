// SPDX-License-Identifier: Apache-2.0
// A decoder that does what the first access unit requests, instead of decoding it. Tests start it in place of the hub.
#include "support/decoder_probe.hpp"

#include <atomic>
#include <cstdlib>
#include <fstream>
#include <new>
#include <thread>

#include "hub/decoder/decoder.hpp"

using namespace sealcam;

namespace {

Bytes jpeg(const std::string& text) {
  Bytes out{std::byte{0xff}, std::byte{0xd8}};
  const auto bytes = as_bytes(text);
  out.insert(out.end(), bytes.begin(), bytes.end());
  return out;
}

std::string environment() {
  std::string all;
  for (char** variable = environ; *variable != nullptr; ++variable) all += std::string(*variable) + '\n';
  return all;
}

/// Allocates and uses memory until there is none.
Result<Bytes> exhaust_memory() {
  for (;;) {
    auto* const block = static_cast<char*>(std::malloc(16U << 20));
    if (block == nullptr) return fail(Errc::no_memory, "probe");
    std::memset(block, 1, 16U << 20);
  }
}

/// A thread that exists before the sandbox, as one of a library.
class EarlierThread {
 public:
  EarlierThread() {
    std::thread([this] {
      step_.wait(0);
      outcome_ = ::kill(::getppid(), 0) == 0 ? 0 : errno;
      step_ = 2;
      step_.notify_all();
    }).detach();
  }
  /// Lets the thread find the hub's process. Returns 0 or errno.
  int act() {
    step_ = 1;
    step_.notify_all();
    step_.wait(1);
    return outcome_;
  }

 private:
  std::atomic<int> step_{0}, outcome_{0};
};
EarlierThread& earlier_thread() {
  static auto* const one = new EarlierThread;
  return *one;
}

class ProbeBuilder final : public hal::StillBuilder {
 public:
  explicit ProbeBuilder(std::string memory_priority) : memory_priority_(std::move(memory_priority)) {}

 private:
  Result<Bytes> do_make(std::span<const ByteView> group) override {
    const std::string text(as_text(group.front()));
    const auto action = test::forbidden_actions().find(text);
    if (action != test::forbidden_actions().end()) return jpeg(std::to_string(action->second()));
    if (text == "an earlier thread") return jpeg(std::to_string(earlier_thread().act()));
    if (text == "crash") __builtin_trap();
    if (text == "exit") ::_exit(0);
    if (text == "spin")
      for (volatile int turns = 0;;) turns = turns + 1;
    char more = 0;
    if (text == "wait" && ::read(STDIN_FILENO, &more, 1) >= 0) ::_exit(0);
    if (text == "throw") throw std::bad_alloc();
    if (text == "memory") return exhaust_memory();
    if (text == "environment") return jpeg(environment());
    if (text == "memory priority") return jpeg(memory_priority_);
    if (text == "no picture") return Bytes(100);
    if (text == "large") {
      auto large = jpeg("");
      large.resize(hub::decoder::max_jpeg + 1);
      return large;
    }
    if (text == "malformed") return fail(Errc::malformed, "probe");
    if (text == "an error of another kind") return fail(Errc::permission, "probe");
    return jpeg(text);
  }
  std::string memory_priority_;
};

class ProbeMedia final : public hal::Media {
  Result<std::unique_ptr<hal::StreamMuxer>> do_open_muxer() override { return fail(Errc::unsupported, "probe"); }
  Result<std::unique_ptr<hal::Mp4Muxer>> do_open_mp4_muxer(hal::Size) override {
    return fail(Errc::unsupported, "probe");
  }
  Result<std::unique_ptr<hal::StillBuilder>> do_open_still_builder() override {
    (void)test::forbidden_actions();  // allocated before the sandbox
    (void)earlier_thread();
    std::string memory_priority;
    std::ifstream("/proc/self/oom_score_adj") >> memory_priority;
    return std::make_unique<ProbeBuilder>(memory_priority);
  }
};

}  // namespace

int main() {
  ProbeMedia media;
  ::_exit(hub::decoder::run_child(media));
}
