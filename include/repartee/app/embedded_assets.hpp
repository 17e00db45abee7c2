#pragma once
#include "repartee/base/embedded_assets.hpp"
namespace repartee::app { using repartee::EmbeddedAsset; using repartee::embedded_assets; }
