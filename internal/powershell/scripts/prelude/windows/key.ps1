# Private keys of the machine: their providers, their files, and who may read them.

# Returns the legacy object of a key, or null for a key of a CNG provider, for
# which the property throws "Invalid provider type specified.". GetRSAPrivateKey
# is no substitute: it may open a legacy provider's key through CNG and then
# reports the wrong provider.
function Get-LegacyKey {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [System.Security.Cryptography.X509Certificates.X509Certificate2] $Certificate)

    try { $key = $Certificate.PrivateKey }
    catch { return $null }
    if ($key -is [System.Security.Cryptography.RSACryptoServiceProvider]) { return $key }
    return $null
}

# Returns the object with which Office Online Server would sign, or null when the
# key has none. The .NET classes for tokens open a legacy key again in a provider
# of type 24 (PROV_RSA_AES), because that of type 1 cannot sign SHA-256.
# Source: .NET Framework, System.IdentityModel, GetSignatureFormatterForSha256. That
# Office Online Server signs by these classes is inferred.
function Get-LegacySigner {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [System.Security.Cryptography.X509Certificates.X509Certificate2] $Certificate)

    $key = Get-LegacyKey -Certificate $Certificate
    if ($null -eq $key -or $key.CspKeyContainerInfo.ProviderType -eq 24) { return $key }
    $parameters = New-Object System.Security.Cryptography.CspParameters 24
    $parameters.KeyContainerName = $key.CspKeyContainerInfo.KeyContainerName
    $parameters.KeyNumber = [int] $key.CspKeyContainerInfo.KeyNumber
    # Without UseExistingKey, a container that is missing would be created.
    $parameters.Flags = [System.Security.Cryptography.CspProviderFlags]::UseExistingKey
    if ($key.CspKeyContainerInfo.MachineKeyStore) {
        $parameters.Flags = [System.Security.Cryptography.CspProviderFlags] 'UseExistingKey, UseMachineKeyStore'
    }
    return New-Object System.Security.Cryptography.RSACryptoServiceProvider $parameters
}

# Opens the PFX among the secrets. This writes its key to disk, in the key store
# that the flags select.
function Open-Pfx {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [System.Security.Cryptography.X509Certificates.X509KeyStorageFlags] $Flags)

    $password = Read-PfxPassword
    try {
        return [System.Security.Cryptography.X509Certificates.X509Certificate2]::new($FarmTrustSecrets[0], $password, $Flags)
    }
    finally { $password.Dispose() }
}

# Returns the object that signs with a certificate's key by whichever interface
# opens it, CNG before the legacy one, or null when the key is not an RSA key.
function Get-PrivateKey {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [System.Security.Cryptography.X509Certificates.X509Certificate2] $Certificate)

    return [System.Security.Cryptography.X509Certificates.RSACertificateExtensions]::GetRSAPrivateKey($Certificate)
}

# Returns the file of that name among those of machine keys, or null.
# Source: Microsoft, "Key Storage and Retrieval" (CNG).
function Find-MachineKeyFile {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [string] $Name)

    foreach ($folder in 'RSA\MachineKeys', 'Keys', 'SystemKeys') {
        $path = "$env:ProgramData\Microsoft\Crypto\$folder\$Name"
        if ([System.IO.File]::Exists($path)) { return New-Object System.IO.FileInfo $path }
    }
    return $null
}

# Returns the provider of a certificate's key, the name of its container and its file,
# and when the file was created. The file is empty when none of the folders of machine
# keys has it.
function Get-KeyLocation {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [System.Security.Cryptography.X509Certificates.X509Certificate2] $Certificate)

    $legacy = Get-LegacyKey -Certificate $Certificate
    if ($null -ne $legacy) {
        $provider = $legacy.CspKeyContainerInfo.ProviderName
        $container = $legacy.CspKeyContainerInfo.KeyContainerName
        $name = $legacy.CspKeyContainerInfo.UniqueKeyContainerName
    }
    else {
        $modern = [System.Security.Cryptography.X509Certificates.RSACertificateExtensions]::GetRSAPrivateKey($Certificate)
        if ($modern -isnot [System.Security.Cryptography.RSACng]) {
            Stop-Script -Id 'KeyMissing' -Message "certificate $($Certificate.Thumbprint) has no RSA key that this account can open"
        }
        $provider = $modern.Key.Provider.Provider
        $container = $modern.Key.KeyName
        $name = $modern.Key.UniqueName
    }
    $file = ''
    $since = $null
    $found = Find-MachineKeyFile -Name $name
    if ($null -ne $found) {
        $file = $found.FullName
        $since = $found.CreationTimeUtc
    }
    return [pscustomobject] @{ Provider = [string] $provider; Container = [string] $container; File = $file; Since = $since }
}

# Opens a machine key of the legacy providers by the name of its container, or returns
# null. What is no key, as where its writing was cut off, cannot be opened and is not
# touched: a key that is imported then gets another container.
function Open-KeyContainer {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [string] $Container)

    foreach ($number in 1, 2) { # AT_KEYEXCHANGE and AT_SIGNATURE: nothing says which an import makes.
        $parameters = New-Object System.Security.Cryptography.CspParameters 24
        $parameters.KeyContainerName = $Container
        $parameters.KeyNumber = $number
        $parameters.Flags = [System.Security.Cryptography.CspProviderFlags] 'UseExistingKey, UseMachineKeyStore'
        try { return [System.Security.Cryptography.RSACryptoServiceProvider]::new($parameters) }
        catch [System.Security.Cryptography.CryptographicException] { continue }
    }
    return $null
}

# Returns the file of a machine key by the name of its container, or an empty text when
# there is no such key, or none of the folders of machine keys has it.
function Get-ContainerFile {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [string] $Container)

    $key = Open-KeyContainer -Container $Container
    if ($null -eq $key) { return '' }
    $found = Find-MachineKeyFile -Name $key.CspKeyContainerInfo.UniqueKeyContainerName
    $key.Clear() # This closes the key, and leaves it where it is.
    if ($null -eq $found) { return '' }
    return $found.FullName
}

# Deletes a machine key by the name of its container.
# Source: Microsoft, "Store asymmetric keys in a key container".
function Remove-KeyContainer {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [string] $Container)

    $key = Open-KeyContainer -Container $Container
    $key.PersistKeyInCsp = $false
    $key.Clear()
}

# Reports whether an access entry includes reading: the right to read data, or a
# generic right that has not been mapped to it.
function Test-ReadEntry {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [System.Security.AccessControl.FileSystemAccessRule] $Entry)

    $rights = [int] $Entry.FileSystemRights
    $readData = [int] [System.Security.AccessControl.FileSystemRights]::ReadData
    return (($rights -band $readData) -ne 0) -or (($rights -band 0x10000000) -ne 0) -or (($rights -band [int]::MinValue) -ne 0)
}

# Returns the security identifiers that may read a key file: those that an entry
# allows and none denies. Membership in groups is not resolved.
function Get-KeyReader {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [string] $File)

    $security = (New-Object System.IO.FileInfo $File).GetAccessControl([System.Security.AccessControl.AccessControlSections]::Access)
    $allowed = New-Object System.Collections.Generic.List[string]
    $denied = New-Object System.Collections.Generic.List[string]
    foreach ($entry in $security.GetAccessRules($true, $true, [System.Security.Principal.SecurityIdentifier])) {
        if (-not (Test-ReadEntry -Entry $entry)) { continue }
        if ($entry.AccessControlType -eq [System.Security.AccessControl.AccessControlType]::Deny) { $denied.Add($entry.IdentityReference.Value) }
        elseif (-not $allowed.Contains($entry.IdentityReference.Value)) { $allowed.Add($entry.IdentityReference.Value) }
    }
    foreach ($sid in $allowed) { if (-not $denied.Contains($sid)) { $sid } }
}

# Not with Set-Acl, which would also write the owner and needs another privilege
# for that.
function Add-KeyReader {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $File,
        [Parameter(Mandatory = $true)] [string] $Sid
    )

    $info = New-Object System.IO.FileInfo $File
    $security = $info.GetAccessControl([System.Security.AccessControl.AccessControlSections]::Access)
    $account = New-Object System.Security.Principal.SecurityIdentifier $Sid
    $security.AddAccessRule((New-Object System.Security.AccessControl.FileSystemAccessRule $account, 'Read', 'Allow'))
    $info.SetAccessControl($security)
}

# Deletes a certificate's key, which would otherwise stay on disk indefinitely
# because of PersistKeySet.
function Remove-Key {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [System.Security.Cryptography.X509Certificates.X509Certificate2] $Certificate)

    $legacy = Get-LegacyKey -Certificate $Certificate
    if ($null -ne $legacy) {
        $legacy.PersistKeyInCsp = $false
        $legacy.Clear()
        return
    }
    $modern = [System.Security.Cryptography.X509Certificates.RSACertificateExtensions]::GetRSAPrivateKey($Certificate)
    if ($modern -is [System.Security.Cryptography.RSACng]) { $modern.Key.Delete() }
}
