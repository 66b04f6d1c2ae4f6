# The interface in SharePoint Server Subscription Edition.

function New-SPTrustedSecurityTokenIssuer {
    [CmdletBinding(SupportsShouldProcess = $true, ConfirmImpact = 'High')]
    param(
        [Parameter(Mandatory = $true, Position = 0)] [ValidateNotNullOrEmpty()] [string] $Name,
        [ValidateNotNullOrEmpty()] [string] $Description,
        [ValidateNotNullOrEmpty()] [string] $RegisteredIssuerName,
        [ValidateNotNullOrEmpty()] [switch] $IsTrustBroker,
        [Parameter(Mandatory = $true, ParameterSetName = 'ImportCertificateParameterSet')] [ValidateNotNull()] [object] $Certificate,
        [Parameter(Mandatory = $true, ParameterSetName = 'MetadataEndPointParameterSet')] [ValidateNotNull()] [uri] $MetadataEndPoint,
        [Parameter(ValueFromPipeline = $true)] [object] $AssignmentCollection
    )

    if ($PSCmdlet.ShouldProcess($Name)) {
        Save-Issuer -Name $Name -RegisteredName $RegisteredIssuerName -Certificate $Certificate -Description $Description -TrustBroker $IsTrustBroker -Create $true
    }
}

function Set-SPTrustedSecurityTokenIssuer {
    [CmdletBinding(SupportsShouldProcess = $true, ConfirmImpact = 'High', DefaultParameterSetName = 'ImportCertificateParameterSet')]
    param(
        [Parameter(Mandatory = $true, Position = 0, ValueFromPipeline = $true)] [ValidateNotNull()] [object] $Identity,
        [ValidateNotNullOrEmpty()] [string] $Description,
        [string] $RegisteredIssuerName,
        [ValidateNotNullOrEmpty()] [switch] $IsTrustBroker,
        [Parameter(ParameterSetName = 'ImportCertificateParameterSet')] [ValidateNotNull()] [object] $Certificate,
        [Parameter(ParameterSetName = 'MetadataEndPointParameterSet')] [ValidateNotNull()] [uri] $MetadataEndPoint,
        [Parameter(ValueFromPipeline = $true)] [object] $AssignmentCollection
    )

    process {
        if ($PSCmdlet.ShouldProcess($Identity)) {
            Save-Issuer -Name $Identity -RegisteredName $RegisteredIssuerName -Certificate $Certificate -Description $Description -TrustBroker $IsTrustBroker -Create $false
        }
    }
}
