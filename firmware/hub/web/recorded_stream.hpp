// SPDX-License-Identifier: Apache-2.0
/// A range of a recording over HTTP: as fragmented MP4, or as access units for the page.
#pragma once

#include <boost/asio/ip/tcp.hpp>

#include "hub/web/recording_answers.hpp"

namespace sealcam::hub::web {

/// Answers a request of the kind video or units. The memory is bounded: one chunk is in the socket, one waits, one is
/// built; a chunk of MP4 is up to one group of pictures. HTTP/1.1 clients receive chunks (RFC 9112 section 7.1) and can
/// therefore detect a cut answer. The answer is 404 without a picture in the range and 503 with too many streams.
/// It ends after 30 s without progress, and when `token` is deleted.
void start_recorded_stream(boost::asio::ip::tcp::socket socket, Request request, ConnectionCount count,
                           RecordingRequest recording, KnownCameras known, const access::TokenHash& token);

/// Times of the pictures of an MP4 file. A pause of the recording longer than recordings::Archive::max_pause takes
/// `pause` in the file, so that a clip over a night does not show one picture for hours. Thread-bound.
class ClipTimeline {
 public:
  static constexpr std::chrono::seconds pause{1};
  /// Since the first picture; always larger than the previous value.
  [[nodiscard]] std::chrono::microseconds next(const recordings::PictureFacts& facts);

 private:
  std::optional<CaptureTime> first_;
  Timeline timeline_;
  std::chrono::microseconds last_{0}, shown_{0};
};

}  // namespace sealcam::hub::web
