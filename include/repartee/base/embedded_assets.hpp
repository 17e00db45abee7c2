#pragma once
#include <span>
#include <string_view>

namespace repartee {

/// A file of assets/ as it was when the binary was built. `path` is relative to assets/, e.g. "characters/park_jihoon.json".
struct EmbeddedAsset {
    std::string_view path;
    std::string_view bytes;
};

std::span<const EmbeddedAsset> embedded_assets();

}  // namespace repartee
