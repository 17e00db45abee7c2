#pragma once
#include "repartee/app/config.hpp"

#include <string>
#include <vector>

namespace repartee::app {

struct IntroductionOptions {
    std::vector<std::string> characters;  ///< only these; empty: all
    bool force = false;                   ///< also those that have an MP3 already
};

/// `repartee introductions`: makes the MP3 of every character that lacks one from its introduction_text, with progress on
/// standard output. Goes on past a failure; re-runnable. Returns the exit status: 1 when any failed.
int make_introductions(const Config& config, const IntroductionOptions& options);

}  // namespace repartee::app
