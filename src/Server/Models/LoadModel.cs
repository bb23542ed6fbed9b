using Serving.Inference.Checkpoints;
using Serving.Inference.Scheduling;

namespace Serving.Server.Models;

/// <summary>How a model is loaded: <see cref="ModelSource.Load"/>, unless a test puts another backend under the server.</summary>
internal delegate ServedModel LoadModel(ModelsRoot root, ModelFolder folder, EngineOptions options);
