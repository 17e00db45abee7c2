#pragma once
#include "repartee/base/error.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace repartee::providers {

/// A voice of the operator's own, by an id that characters and requests use. Empty members: the section's settings.
struct Voice {
    std::string id, name, language, description;
    std::string voice;  ///< the provider's own name for it
    // GPT-SoVITS: paths are on that server's machine.
    std::string ref_audio_path, prompt_text, prompt_lang, text_lang;
    std::vector<std::string> aux_ref_audio_paths;
    double speed = 1.0;
};

class VoiceList {
public:
    VoiceList() = default;
    explicit VoiceList(std::vector<Voice> voices, std::string default_id);
    const Voice* find(std::string_view id) const;  ///< any case; the default for an unknown id, nullptr when there is none
    const std::vector<Voice>& all() const { return voices_; }
    const std::string& default_id() const { return default_id_; }

private:
    std::vector<Voice> voices_;
    std::string default_id_;
};

/// {"default_voice_id":"…","voices":[{id, name?, …}]}; unknown members are refused by name, ids are unique. At most 1000 voices, 1 MiB. Pure.
Result<VoiceList> parse_voices(std::string_view json_text);

}  // namespace repartee::providers
