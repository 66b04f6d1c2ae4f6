# Certificates and keys, read through the functions of windows/store.ps1 and
# windows/key.ps1.

# Returns the certificate in the Personal store, archived or not.
function Get-OwnCertificate {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [string] $Thumbprint)

    $certificate = Find-PersonalCertificate -Thumbprint $Thumbprint
    if ($null -eq $certificate) {
        Stop-Script -Id 'CertificateNotFound' -Message "certificate $Thumbprint is not in the Personal store of the machine"
    }
    return $certificate
}

# Office Online Server selects a certificate by its friendly name alone, so no
# other certificate may have that name.
# Source: Microsoft, "Plan Office Online Server", on Trusted Root; users report
# the same of the Personal store.
function Assert-FriendlyNameFree {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $FriendlyName,
        [Parameter(Mandatory = $true)] [string] $Thumbprint
    )

    foreach ($store in 'My', 'Root') {
        foreach ($certificate in Get-StoreCertificate -Store $store) {
            if ($certificate.FriendlyName -eq $FriendlyName -and $certificate.Thumbprint -ne $Thumbprint) {
                Stop-Script -Id 'AmbiguousFriendlyName' -Message (
                    "certificate $($certificate.Thumbprint) in store $store also has the friendly name '$FriendlyName'")
            }
        }
    }
}

# Signs with the private key and verifies with the public one. Office Online Server
# signs by the legacy path; a key in a key storage provider has only the modern one.
function Test-KeySignature {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [object] $Certificate,
        [Parameter(Mandatory = $true)] [ValidateSet('legacy', 'modern')] [string] $Path
    )

    if ($Path -eq 'legacy') { $private = Get-LegacySigner -Certificate $Certificate }
    else { $private = Get-PrivateKey -Certificate $Certificate }
    if ($null -eq $private) { return $false }
    $public = [System.Security.Cryptography.X509Certificates.RSACertificateExtensions]::GetRSAPublicKey($Certificate)
    $data = [Guid]::NewGuid().ToByteArray()
    $sha256 = [System.Security.Cryptography.HashAlgorithmName]::SHA256
    $padding = [System.Security.Cryptography.RSASignaturePadding]::Pkcs1
    return $public.VerifyData($data, $private.SignData($data, $sha256, $padding), $sha256, $padding)
}

# Reports by which paths a key signs. A path that cannot be opened does not.
function Get-SigningPath {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [object] $Certificate)

    foreach ($path in 'legacy', 'modern') {
        try { if (Test-KeySignature -Certificate $Certificate -Path $path) { $path } }
        catch [System.Security.Cryptography.CryptographicException] { continue }
    }
}

# Reports whether a certificate names more than one host by a "*": in its subject or
# among its alternative names, which are ASCII in the extension's bytes.
# Source: RFC 5280, section 4.2.1.6; RFC 6125, section 6.4.3.
function Test-Wildcard {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [object] $Certificate)

    if (([string] $Certificate.Subject).Contains('*.')) { return $true }
    foreach ($extension in $Certificate.Extensions) {
        if ($extension.Oid.Value -eq '2.5.29.17' -and [System.Text.Encoding]::ASCII.GetString($extension.RawData).Contains('*.')) { return $true }
    }
    return $false
}

# Returns a certificate as it appears in results. A key that cannot be opened
# has no provider and no readers there, so that observing does not fail on it.
function ConvertTo-CertificateRecord {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [object] $Certificate,
        [switch] $Sign,
        [string[]] $Uses = @()
    )

    $provider = ''
    $readers = @()
    $since = $null
    $paths = @()
    if ($Certificate.HasPrivateKey) {
        try {
            $location = Get-KeyLocation -Certificate $Certificate
            $provider = $location.Provider
            $since = $location.Since
            if ($location.File -ne '') { $readers = @(Get-KeyReader -File $location.File) }
            if ($Sign) { $paths = @(Get-SigningPath -Certificate $Certificate) }
        }
        catch { $paths = @() }
    }
    return [pscustomobject] @{
        thumbprint = [string] $Certificate.Thumbprint
        friendlyName = [string] $Certificate.FriendlyName
        subject = [string] $Certificate.Subject
        notBefore = $Certificate.NotBefore
        notAfter = $Certificate.NotAfter
        archived = [bool] $Certificate.Archived
        wildcard = Test-Wildcard -Certificate $Certificate
        hasKey = [bool] $Certificate.HasPrivateKey
        provider = $provider
        keyReaders = $readers
        keySince = $since
        keySigns = 'legacy' -in $paths
        modernKeySigns = 'modern' -in $paths
        uses = $Uses
    }
}

# Returns the password as a SecureString, without passing it to a cmdlet or
# through a string, which would stay in memory.
function Read-PfxPassword {
    [CmdletBinding()]
    param()

    $password = New-Object System.Security.SecureString
    $chars = [System.Text.Encoding]::UTF8.GetChars($FarmTrustSecrets[1])
    foreach ($char in $chars) { $password.AppendChar($char) }
    [Array]::Clear($chars, 0, $chars.Length)
    $password.MakeReadOnly()
    return $password
}

# Opens the PFX among the secrets. This writes its key to the machine's key
# store on disk, so a caller that does not keep the certificate must remove the
# key.
function Read-KeyCertificate {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $Thumbprint,
        [Parameter(Mandatory = $true)] [bool] $Exportable
    )

    # Without MachineKeySet the key is written to the account's profile; without
    # PersistKeySet it is deleted together with the object.
    $flags = [System.Security.Cryptography.X509Certificates.X509KeyStorageFlags] 'MachineKeySet, PersistKeySet'
    if ($Exportable) { $flags = $flags -bor [System.Security.Cryptography.X509Certificates.X509KeyStorageFlags]::Exportable }
    try { $certificate = Open-Pfx -Flags $flags }
    catch [System.Security.Cryptography.CryptographicException] {
        # Windows Server 2016 reports a PFX encrypted with AES the same way.
        Stop-Script -Id 'PfxRefused' -Message "Windows cannot open the PFX: $($_.Exception.GetBaseException().Message)"
    }
    if ($certificate.Thumbprint -ne $Thumbprint) {
        Remove-Key -Certificate $certificate
        Stop-Script -Id 'WrongCertificate' -Message "the PFX holds certificate $($certificate.Thumbprint), not $Thumbprint"
    }
    if (-not $certificate.HasPrivateKey) {
        Stop-Script -Id 'KeyMissing' -Message "the PFX holds certificate $Thumbprint without its key"
    }
    return $certificate
}
