// SPDX-License-Identifier: Apache-2.0
/// A V4L2 driver that does as the test says, at the level of its system calls.
#pragma once

#include <linux/videodev2.h>

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "hal/v4l2/choose.hpp"
#include "hal/v4l2/device.hpp"

namespace sealcam::test {

/// What happens the next time the program waits for a buffer and fetches it.
struct V4l2Event {
  using Wait = hal::v4l2::V4l2Device::Wait;
  Wait wait = Wait::ready;  ///< timeout and interrupted: nothing is fetched
  int error = 0;            ///< errno of the fetch; the buffer stays where it is
  std::uint32_t step = 1;   ///< of the driver's sequence number
  std::uint32_t flags = 0;  ///< added to the clock's
  bool monotonic = true;
  std::optional<MonotonicTime> stamp{};  ///< default: the clock's now
  std::optional<std::uint32_t> used{};   ///< bytesused of the first plane, default: all
  std::uint32_t data_offset = 0;         ///< of the first plane, multi-planar only
  std::optional<Bytes> content{};        ///< of the first plane

  static V4l2Event fails(int error, Wait wait = Wait::ready) { return {.wait = wait, .error = error}; }
  static V4l2Event unit(Bytes bytes) { return {.content = std::move(bytes)}; }
};

struct V4l2FakeControl {
  std::uint32_t type = V4L2_CTRL_TYPE_INTEGER;
  std::int32_t min = 0, max = 1, step = 1, otherwise = 0;
  std::uint32_t flags = 0;
  std::set<std::int32_t> items{};  ///< of a menu
  std::int32_t value = 0;
};

/// The device. It outlives what is opened of it. Thread-bound.
class FakeV4l2 {
 public:
  explicit FakeV4l2(const Clock& clock) : clock_(clock) {}

  std::uint32_t capabilities = V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING;
  bool has_input = true;
  bool enumerates_sizes = true;
  std::vector<hal::v4l2::Offer> offers;
  std::map<std::uint32_t, V4l2FakeControl> controls;
  std::deque<V4l2Event> script;  ///< when it is empty nothing comes
  std::uint32_t sequence = 7;    ///< of the next picture
  std::uint32_t padding = 0;     ///< bytes at the end of each row
  std::size_t most_buffers = 32;
  std::map<unsigned long, std::deque<int>> errors;  ///< errno of the next calls of a request
  bool sets_rate = true;
  std::optional<hal::Size> makes_size;  ///< what S_FMT turns every size into
  std::uint32_t field = V4L2_FIELD_NONE;

  // What the program did.
  int open_now = 0;
  bool streaming = false;
  std::vector<std::pair<std::uint32_t, std::int32_t>> written;  ///< controls
  std::deque<std::uint32_t> queued;
  int mapped = 0;
  v4l2_fract interval{1, 30};

  void good(int pictures) { script.insert(script.end(), static_cast<std::size_t>(pictures), V4l2Event{}); }
  /// Opens this device, whatever the path.
  [[nodiscard]] hal::v4l2::DeviceOpener opener();
  [[nodiscard]] std::unique_ptr<hal::v4l2::V4l2Device> open();

 private:
  class Handle;
  [[nodiscard]] bool multi_planar() const { return (capabilities & V4L2_CAP_VIDEO_CAPTURE_MPLANE) != 0; }
  [[nodiscard]] const hal::v4l2::Offer* offer(std::uint32_t fourcc) const;
  int control(unsigned long request, void* argument);
  int enum_format(v4l2_fmtdesc& e) const;
  int enum_sizes(v4l2_frmsizeenum& e) const;
  int enum_rates(v4l2_frmivalenum& e) const;
  int set_format(v4l2_format& f);
  int query_control(v4l2_queryctrl& q) const;
  int set_control(const v4l2_control& c);
  int request_buffers(v4l2_requestbuffers& r);
  int query_buffer(v4l2_buffer& b) const;
  int dequeue(v4l2_buffer& b);
  void lay_out(std::uint32_t fourcc, hal::Size size);

  const Clock& clock_;
  std::uint32_t fourcc_ = 0;
  hal::Size size_;
  std::vector<std::uint32_t> strides_, lengths_;  // of each plane of memory
  std::vector<std::vector<Bytes>> buffers_;       // by index and plane
};

}  // namespace sealcam::test
