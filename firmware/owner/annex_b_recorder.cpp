// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <cerrno>

#include "owner/recorder.hpp"

namespace sealcam::owner {

namespace {

class AnnexBRecorder final : public Recorder {
 public:
  explicit AnnexBRecorder(int descriptor) : descriptor_(descriptor) {}

 private:
  Result<> do_add(const Recordable& picture) override {
    if (!started_ && !picture.key) return fail(Errc::invalid_argument, "the first picture is not a key picture");
    started_ = true;
    for (ByteView rest = picture.access_unit; !rest.empty();) {
      const auto n = ::write(descriptor_, rest.data(), rest.size());
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return fail(Errc::io, "writing the stream", errno);
      rest = rest.subspan(static_cast<std::size_t>(n));
    }
    return {};
  }
  Result<> do_finish() override { return {}; }

  int descriptor_;
  bool started_ = false;
};

}  // namespace

std::unique_ptr<Recorder> record_annex_b(int descriptor) { return std::make_unique<AnnexBRecorder>(descriptor); }

}  // namespace sealcam::owner
