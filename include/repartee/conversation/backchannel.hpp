#pragma once
#include <string_view>

namespace repartee::conversation {

/// What a short utterance amounts to while a character speaks.
enum class Said {
    nothing,      ///< no words: silence, "[cough]", what transcribers write for noise
    backchannel,  ///< "응", "네네", "mm-hm": go on, I am listening
    stop,         ///< "그만", "잠깐만", "stop", "wait"
    words,        ///< anything else
};

/// Judges a whole transcript, in Korean or English: exact words after case, punctuation, spaces and repeated syllables ("응응응", "mmmm",
/// "yeah yeah") are levelled.
Said judge(std::string_view transcript);

}  // namespace repartee::conversation
