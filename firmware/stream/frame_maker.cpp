// SPDX-License-Identifier: Apache-2.0
#include "stream/frame_maker.hpp"

#include <bit>

namespace sealcam::stream {

using protocol::FrameKind;

Result<ByteView> FrameMaker::seal(crypto::sframe::SealingKey& key, FrameKind kind, ByteView plaintext) {
  const std::size_t size = sealer_.message_size(key, plaintext.size());
  // Powers of two, so that the buffer has its final size after a few key frames.
  if (buffer_.size() < size) buffer_.resize(std::bit_ceil(size));
  const auto message = sealer_.seal(buffer_, key, kind, plaintext);
  if (!message) return std::unexpected(message.error());
  return ByteView(*message);
}

Result<ByteView> FrameMaker::picture(crypto::sframe::SealingKey& key, FrameKind kind,
                                     const AccessUnitQueue::Unit& unit) {
  protocol::FrameHeader header;
  header.width = static_cast<std::uint16_t>(unit.info.size.width);
  header.height = static_cast<std::uint16_t>(unit.info.size.height);
  header.captured = to_capture_time(unit.info.captured, clock_);
  header.number = unit.info.number;
  header.age = std::chrono::duration_cast<std::chrono::milliseconds>(clock_.monotonic() - unit.info.captured);
  header.echo = unit.info.echo;
  protocol::write_frame_header(header, unit.plaintext);
  return seal(key, kind, unit.plaintext);
}

Result<ByteView> FrameMaker::report(crypto::sframe::SealingKey& key, const protocol::Report& report,
                                    protocol::Challenge challenge) {
  protocol::FrameHeader header;
  header.codec = protocol::Codec::none;
  header.captured = clock_.wall();
  header.echo = challenge;
  const Bytes content = protocol::encode_report(report);
  Bytes plaintext(protocol::frame_header_size);
  protocol::write_frame_header(header, plaintext);
  plaintext.insert(plaintext.end(), content.begin(), content.end());
  return seal(key, FrameKind::report, plaintext);
}

}  // namespace sealcam::stream
