#pragma once
#include "repartee/audio/reply_encoder.hpp"

namespace repartee::audio {

Result<std::unique_ptr<ReplyEncoder>> create_mp3_stream(int bitrate_kbps);

}  // namespace repartee::audio
