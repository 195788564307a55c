// SPDX-License-Identifier: Apache-2.0
#include "support/fake_v4l2.hpp"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>

#include "hal/v4l2/negotiate.hpp"

namespace sealcam::test {

using namespace hal;
using namespace hal::v4l2;

class FakeV4l2::Handle final : public V4l2Device {
 public:
  explicit Handle(FakeV4l2& fake) : fake_(fake) { ++fake_.open_now; }
  ~Handle() override { --fake_.open_now; }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;

 private:
  int do_control(unsigned long number, void* argument) override {
    auto& errors = fake_.errors[number];
    if (!errors.empty()) {
      const int error = errors.front();
      errors.pop_front();
      if (error != 0) return error;
    }
    return fake_.control(number, argument);
  }
  Wait do_wait(std::chrono::milliseconds) override {
    if (fake_.script.empty()) return Wait::timeout;
    const Wait wait = fake_.script.front().wait;
    if (wait == Wait::timeout || wait == Wait::interrupted) fake_.script.pop_front();
    else if (fake_.queued.empty() && fake_.script.front().error == 0) return Wait::timeout;
    return wait;
  }
  const std::byte* do_map(std::size_t length, std::int64_t offset) override {
    const auto index = static_cast<std::size_t>(offset / 16), plane = static_cast<std::size_t>(offset % 16);
    if (index >= fake_.buffers_.size() || length != fake_.buffers_[index].at(plane).size()) return nullptr;
    ++fake_.mapped;
    return fake_.buffers_[index][plane].data();
  }
  void do_unmap(const std::byte*, std::size_t) override { --fake_.mapped; }
  FakeV4l2& fake_;
};

DeviceOpener FakeV4l2::opener() {
  return [this](const std::string&) -> Result<std::unique_ptr<V4l2Device>> { return open(); };
}

std::unique_ptr<V4l2Device> FakeV4l2::open() { return std::make_unique<Handle>(*this); }

const Offer* FakeV4l2::offer(std::uint32_t fourcc) const {
  const auto at = std::ranges::find(offers, fourcc, [](const Offer& o) { return fourcc_number(o.fourcc); });
  return at == offers.end() ? nullptr : &*at;
}

int FakeV4l2::control(unsigned long number, void* argument) {
  switch (number) {
    case VIDIOC_QUERYCAP: {
      auto& c = *static_cast<v4l2_capability*>(argument);
      std::strcpy(reinterpret_cast<char*>(c.driver), "fake");
      std::strcpy(reinterpret_cast<char*>(c.card), "Fake camera");
      std::strcpy(reinterpret_cast<char*>(c.bus_info), "test:0");
      c.device_caps = capabilities;
      c.capabilities = capabilities | V4L2_CAP_DEVICE_CAPS;
      return 0;
    }
    case VIDIOC_ENUMINPUT: return has_input && static_cast<v4l2_input*>(argument)->index == 0 ? 0 : ENOTTY;
    case VIDIOC_ENUM_FMT: return enum_format(*static_cast<v4l2_fmtdesc*>(argument));
    case VIDIOC_ENUM_FRAMESIZES: return enum_sizes(*static_cast<v4l2_frmsizeenum*>(argument));
    case VIDIOC_ENUM_FRAMEINTERVALS: return enum_rates(*static_cast<v4l2_frmivalenum*>(argument));
    case VIDIOC_S_FMT: return set_format(*static_cast<v4l2_format*>(argument));
    case VIDIOC_S_PARM: interval = static_cast<v4l2_streamparm*>(argument)->parm.capture.timeperframe; [[fallthrough]];
    case VIDIOC_G_PARM: {
      if (!sets_rate) return ENOTTY;
      auto& p = static_cast<v4l2_streamparm*>(argument)->parm.capture;
      p.capability = V4L2_CAP_TIMEPERFRAME;
      p.timeperframe = interval;
      return 0;
    }
    case VIDIOC_QUERYCTRL: return query_control(*static_cast<v4l2_queryctrl*>(argument));
    case VIDIOC_QUERYMENU: {
      const auto& m = *static_cast<v4l2_querymenu*>(argument);
      const auto at = controls.find(m.id);
      return at != controls.end() && at->second.items.contains(static_cast<std::int32_t>(m.index)) ? 0 : EINVAL;
    }
    case VIDIOC_G_CTRL: {
      auto& c = *static_cast<v4l2_control*>(argument);
      const auto at = controls.find(c.id);
      if (at == controls.end()) return EINVAL;
      c.value = at->second.value;
      return 0;
    }
    case VIDIOC_S_CTRL: return set_control(*static_cast<v4l2_control*>(argument));
    case VIDIOC_REQBUFS: return request_buffers(*static_cast<v4l2_requestbuffers*>(argument));
    case VIDIOC_QUERYBUF: return query_buffer(*static_cast<v4l2_buffer*>(argument));
    case VIDIOC_QBUF: queued.push_back(static_cast<v4l2_buffer*>(argument)->index); return 0;
    case VIDIOC_DQBUF: return dequeue(*static_cast<v4l2_buffer*>(argument));
    case VIDIOC_STREAMON: streaming = true; return 0;
    case VIDIOC_STREAMOFF:
      streaming = false;
      queued.clear();
      return 0;
    default: return ENOTTY;
  }
}

int FakeV4l2::enum_format(v4l2_fmtdesc& e) const {
  const bool right = e.type == (multi_planar() ? V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE : V4L2_BUF_TYPE_VIDEO_CAPTURE);
  if (!right || e.index >= offers.size()) return EINVAL;
  e.pixelformat = fourcc_number(offers[e.index].fourcc);
  return 0;
}

int FakeV4l2::enum_sizes(v4l2_frmsizeenum& e) const {
  const Offer* o = offer(e.pixel_format);
  if (!enumerates_sizes) return ENOTTY;
  if (o == nullptr || e.index >= o->sizes.size()) return EINVAL;
  const SizeRange& s = o->sizes[e.index];
  const auto u = [](int n) { return static_cast<std::uint32_t>(n); };
  if (s.min == s.max) {
    e.type = V4L2_FRMSIZE_TYPE_DISCRETE;
    e.discrete = {u(s.min.width), u(s.min.height)};
    return 0;
  }
  e.type = s.step == Size{1, 1} ? V4L2_FRMSIZE_TYPE_CONTINUOUS : V4L2_FRMSIZE_TYPE_STEPWISE;
  e.stepwise = {u(s.min.width), u(s.max.width), u(s.step.width), u(s.min.height), u(s.max.height), u(s.step.height)};
  return 0;
}

int FakeV4l2::enum_rates(v4l2_frmivalenum& e) const {
  const Offer* o = offer(e.pixel_format);
  if (o == nullptr) return EINVAL;
  const auto at = std::ranges::find_if(o->sizes, [&](const SizeRange& s) {
    return s.max.width == static_cast<int>(e.width) && s.max.height == static_cast<int>(e.height);
  });
  if (at == o->sizes.end() || e.index >= at->rates.size()) return EINVAL;
  const RateRange& r = at->rates[e.index];
  const auto interval_of = [](double rate) {
    return v4l2_fract{1000, static_cast<std::uint32_t>(std::lround(rate * 1000))};
  };
  if (r.min == r.max) {
    e.type = V4L2_FRMIVAL_TYPE_DISCRETE;
    e.discrete = interval_of(r.min);
    return 0;
  }
  e.type = V4L2_FRMIVAL_TYPE_STEPWISE;
  e.stepwise = {interval_of(r.max), interval_of(r.min), {1, 1000}};
  return 0;
}

void FakeV4l2::lay_out(std::uint32_t fourcc, Size size) {
  fourcc_ = fourcc;
  size_ = size;
  const auto w = static_cast<std::uint32_t>(size.width) + padding, h = static_cast<std::uint32_t>(size.height);
  const Format format = *known_format(fourcc);
  switch (format.format) {
    case PixelFormat::yu12:
      strides_ = {w, w / 2, w / 2};
      lengths_ = {w * h, w * h / 4, w * h / 4};
      break;
    case PixelFormat::nv12:
      strides_ = {w, w};
      lengths_ = {w * h, w * h / 2};
      break;
    default:
      strides_ = {static_cast<std::uint32_t>(packed_bytes(format.format)) * w};
      lengths_ = {strides_[0] == 0 ? 4096 : strides_[0] * h};
  }
  if (format.planes > 1) return;
  lengths_ = {std::ranges::fold_left(lengths_, 0U, std::plus<>())};
  strides_.resize(1);
}

int FakeV4l2::set_format(v4l2_format& f) {
  const auto answer = [&](auto& pix) {
    if (offer(pix.pixelformat) == nullptr) pix.pixelformat = fourcc_number(offers.at(0).fourcc);
    if (forced_size) {
      pix.width = static_cast<std::uint32_t>(forced_size->width);
      pix.height = static_cast<std::uint32_t>(forced_size->height);
    }
    pix.field = field;
    pix.colorspace = colors.colorspace;
    pix.ycbcr_enc = static_cast<std::uint8_t>(colors.encoding);
    pix.quantization = static_cast<std::uint8_t>(colors.quantization);
    pix.xfer_func = static_cast<std::uint8_t>(colors.transfer);
    lay_out(pix.pixelformat, {static_cast<int>(pix.width), static_cast<int>(pix.height)});
  };
  if (!multi_planar()) {
    answer(f.fmt.pix);
    f.fmt.pix.bytesperline = strides_[0];
    f.fmt.pix.sizeimage = lengths_[0];
    return 0;
  }
  auto& p = f.fmt.pix_mp;
  answer(p);
  p.num_planes = static_cast<std::uint8_t>(lengths_.size());
  for (std::size_t i = 0; i < lengths_.size(); ++i) {
    p.plane_fmt[i].bytesperline = strides_[i];
    p.plane_fmt[i].sizeimage = lengths_[i];
  }
  return 0;
}

int FakeV4l2::query_control(v4l2_queryctrl& q) const {
  const auto at = controls.find(q.id);
  if (at == controls.end()) return EINVAL;
  const V4l2FakeControl& c = at->second;
  q.type = c.type;
  q.minimum = c.min;
  q.maximum = c.max;
  q.step = c.step;
  q.default_value = c.fallback;
  q.flags = c.flags;
  return 0;
}

int FakeV4l2::set_control(const v4l2_control& c) {
  const auto at = controls.find(c.id);
  if (at == controls.end()) return EINVAL;
  if ((at->second.flags & V4L2_CTRL_FLAG_READ_ONLY) != 0) return EACCES;
  at->second.value = c.value;
  written.emplace_back(c.id, c.value);
  return 0;
}

int FakeV4l2::request_buffers(v4l2_requestbuffers& r) {
  r.count = static_cast<std::uint32_t>(std::min<std::size_t>(r.count, max_buffers));
  buffers_.clear();
  for (std::uint32_t i = 0; i < r.count; ++i) {
    buffers_.emplace_back();
    for (const std::uint32_t length : lengths_) buffers_.back().emplace_back(length);
  }
  return 0;
}

int FakeV4l2::query_buffer(v4l2_buffer& b) const {
  if (b.index >= buffers_.size()) return EINVAL;
  if (!multi_planar()) {
    b.length = lengths_[0];
    b.m.offset = b.index * 16;
    return 0;
  }
  if (b.length < lengths_.size()) return EINVAL;
  b.length = static_cast<std::uint32_t>(lengths_.size());
  for (std::uint32_t i = 0; i < b.length; ++i) {
    b.m.planes[i].length = lengths_[i];
    b.m.planes[i].m.mem_offset = b.index * 16 + i;
  }
  return 0;
}

int FakeV4l2::dequeue(v4l2_buffer& b) {
  if (script.empty()) return EAGAIN;
  const V4l2Event event = std::move(script.front());
  script.pop_front();
  if (event.error != 0) return event.error;
  if (queued.empty() || !streaming) return EAGAIN;
  b.index = queued.front();
  queued.pop_front();
  auto& memory = buffers_[b.index];
  for (Bytes& plane : memory) std::ranges::fill(plane, static_cast<std::byte>(sequence));
  if (event.content) std::ranges::copy(*event.content, memory[0].begin());
  sequence += event.step - 1;
  b.sequence = sequence++;
  b.flags = event.flags | (event.monotonic ? V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC : V4L2_BUF_FLAG_TIMESTAMP_UNKNOWN);
  const auto timestamp = event.timestamp.value_or(clock_.monotonic()).since_boot;
  b.timestamp.tv_sec = std::chrono::duration_cast<std::chrono::seconds>(timestamp).count();
  b.timestamp.tv_usec = std::chrono::duration_cast<std::chrono::microseconds>(timestamp).count() % 1'000'000;
  const auto all = event.content ? static_cast<std::uint32_t>(event.content->size()) : lengths_[0];
  if (!multi_planar()) {
    b.bytesused = event.used.value_or(all);
    return 0;
  }
  for (std::size_t i = 0; i < lengths_.size(); ++i) {
    b.m.planes[i].bytesused = i == 0 ? event.used.value_or(all) : lengths_[i];
    b.m.planes[i].data_offset = i == 0 ? event.data_offset : 0;
  }
  return 0;
}

}  // namespace sealcam::test
