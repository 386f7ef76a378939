module mailboat.dev/test/fromreaders

go 1.24.0
